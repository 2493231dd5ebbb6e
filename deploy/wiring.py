"""The one place that builds things: settings in, every collaborator out. Nothing here decides anything."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import core.approval.jobs
import core.duty.jobs
import core.ledger.jobs
import core.notice.jobs
import monitor.jobs
import pki.acme.jobs
import pki.cmp.jobs
import pki.jobs
import pki.takeover.jobs
import pki.tsa.renewal
from authz import appfile, application, policy
from authz.application import Application
from authz.decision import PolicyDecisionPoint
from authz.gateway import Gateway
from backup import jobs as backup_jobs
from backup.repository import Repository
from backup.run import Backup
from backup.settings import BackupSettings
from core.access import Authenticator, DecisionPoint
from core.approval import acts, administrator, erasure
from core.approval import purge as purging
from core.approval.acts import Acts
from core.clock import Clock, SystemClock
from core.database import Database
from core.errors import Rejected
from core.jobs import Job
from core.ledger import checkpoint
from core.ledger.fast import FastMode, FastQueue
from core.ledger.group import GroupCommit
from core.ledger.place import LedgerPlace
from core.ledger.purge import Purger
from core.ledger.register import Register
from core.ledger.retention import Retention
from core.ledger.sequencer import Sequencer
from core.notice.outbox import Outbox
from core.registry import accountable
from core.registry.accountable import RegisterOfRecord
from core.registry.credential import CredentialStanding
from core.registry.holding import Holders
from core.signing import GoodStanding, Origin
from deploy import departure, enrolling, holding, leveling, machines, noticing, registration, stamping, vouching
from deploy.console import parts
from deploy.file import read_text
from deploy.settings import Settings
from hsm.client import SignerClient
from hsm.settings import HsmSettings
from hsm.signer import TokenCheckpointSigner
from pki import activation, bulk_act, crossing_act, hierarchy
from pki.authentication import CertificateAuthenticator
from pki.cmp import shield
from pki.crl import CrlPublisher
from pki.feed import Feed
from pki.issuance import CertificateAuthority
from pki.ocsp import OcspResponder
from pki.settings import PkiSettings
from pki.takeover import act as takeover

#: The label of the key that signs the evidence log's checkpoints.
CHECKPOINT_KEY = "checkpoint"


@dataclass(frozen=True, slots=True)
class Built:
    """Everything that an HTTP process needs, by type (see ``core/provision.py``)."""

    settings: Settings
    provided: Mapping[type, object]
    queue: FastQueue


def clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()


def store(settings: Settings) -> Database:
    """Return the site's store."""
    return Database(settings.site.store)


def token(settings: Settings) -> HsmSettings:
    """Return the settings of the site's token."""
    return HsmSettings(state=settings.state)


def signer(settings: Settings) -> SignerClient:
    """Return a client of the site's signer process."""
    return SignerClient(token(settings).socket)


def certification(settings: Settings) -> PkiSettings:
    """Return the settings of the certification authorities."""
    return PkiSettings(organisation=settings.site.name, public_url=settings.public_url)


def sequencer(settings: Settings, database: Database, keys: SignerClient, *, owner: str) -> Sequencer:
    """Return the sequencer of the evidence log."""
    return Sequencer(
        database=database,
        clock=SystemClock(),
        directory=settings.ledger,
        origin=settings.site.origin,
        signer=TokenCheckpointSigner(keys, CHECKPOINT_KEY),
        owner=owner,
        mirror=evidence_mirror(settings),
    )


def evidence_mirror(settings: Settings) -> Path:
    """Return where the evidence is mirrored to as it grows: into the backup repository."""
    return Repository(settings.repository.path).evidence


def purger(settings: Settings, database: Database) -> Purger:
    """Return what carries out purges that two people decided."""
    mirror = evidence_mirror(settings)
    return Purger(database=database, clock=SystemClock(), directory=settings.ledger, mirror=mirror)


def authority(settings: Settings, database: Database, keys: SignerClient, group: GroupCommit) -> CertificateAuthority:
    """Return the issuing authority."""
    asked, clock = certification(settings), SystemClock()
    return CertificateAuthority(
        database=database, group=group, keys=keys, clock=clock, random=secrets.token_bytes, settings=asked
    )


def publisher(settings: Settings, database: Database, keys: SignerClient) -> CrlPublisher:
    """Return the publisher of revocation lists."""
    return CrlPublisher(database=database, keys=keys, clock=SystemClock(), settings=certification(settings))


def establish(settings: Settings, database: Database, keys: SignerClient) -> None:
    """Make whatever authority is not there yet."""
    hierarchy.establish(database, keys, SystemClock(), secrets.token_bytes, certification(settings))


def applications(settings: Settings) -> list[Application]:
    """Return every application that has a reviewed description in the site. Raises ``Rejected`` naming the file."""
    return [application_file(path) for path in sorted(settings.applications.glob("*.yaml"))]


def application_file(path: Path) -> Application:
    """Read one description. Raises ``NotFound``, ``Malformed``, or ``Rejected`` with the file and every faulty line."""
    text = read_text(path)
    try:
        return appfile.parse_application(text)
    except Rejected as error:
        raise Rejected(f"{path.name}: {error.detail}", hint=error.hint, reason=error.word) from error


def decisions(settings: Settings, database: Database, queue: FastQueue, group: GroupCommit) -> PolicyDecisionPoint:
    """Return the decision point with every policy and every application of the site."""
    policies = policy.load()
    described = applications(settings)
    domains = {one.domain for one in described}
    actions = {domain: policies.actions(domain) for domain in domains}
    return PolicyDecisionPoint(
        database=database,
        clock=SystemClock(),
        policies=policies,
        catalogue=application.catalogue(described, actions),
        group=group,
        fast=FastMode(queue, frozenset(settings.evidence.fast)) if settings.evidence.fast else None,
    )


def holders(settings: Settings) -> Holders:
    """Return every package's answer to what somebody holds."""
    return holding.holders(applications(settings), token(settings).inventory)


def backup(settings: Settings, database: Database) -> Backup:
    """Return what makes recovery points."""
    asked = BackupSettings(
        state=settings.state,
        repository=settings.repository.path,
        recipients=settings.repository.recipients,
        origin=settings.site.origin,
        checkpoint_key=CHECKPOINT_KEY,
    )
    return Backup(database=database, clock=SystemClock(), random=secrets.token_bytes, settings=asked)


def jobs(settings: Settings, database: Database) -> Sequence[Sequence[Job]]:
    """Return the background work: lists, what else is our own, what waits for others, and for machines.

    None holds another up.
    """
    keys = signer(settings)
    lists = publisher(settings, database, keys)
    sending = core.notice.jobs.outward(noticing.outbox(settings, database, SystemClock()))
    # The worker of a site that asks no witness starts without a signer: only a witness is shown the log's key.
    place, mirror = partial(ledger_place, settings, keys), evidence_mirror(settings)
    asked = vouching.background(settings, database, keys, clock=SystemClock(), place=place, mirror=mirror)
    machines = enrolling.looking(settings, database, clock=SystemClock())
    return pki.jobs.publishing(lists), inward_jobs(settings, database), [*sending, *asked], machines


def periods(settings: Settings, database: Database) -> Mapping[str, timedelta]:
    """Return how often each job of ``jobs`` runs, by name; this needs no signer."""
    ours = [
        *inward_jobs(settings, database),
        *core.notice.jobs.outward(noticing.outbox(settings, database, SystemClock())),
    ]
    ours += enrolling.looking(settings, database, clock=SystemClock())
    return {job.name: job.every for job in ours} | vouching.periods(settings)


def inward_jobs(settings: Settings, database: Database) -> Sequence[Job]:
    """Return the background work of every package that waits for nobody outside."""
    keys, names = signer(settings), certification(settings)
    return [
        *pki.jobs.jobs(database),
        *pki.acme.jobs.jobs(database),
        *pki.cmp.jobs.jobs(database),
        *pki.cmp.jobs.renewal(partial(shield.renew, database, keys, clock(), secrets.token_bytes, names)),
        *pki.jobs.renewal(partial(hierarchy.renew_responder, database, keys, clock(), secrets.token_bytes, names)),
        *pki.jobs.making(
            database, partial(hierarchy.make_planned, database, keys, clock(), secrets.token_bytes, names)
        ),
        *pki.takeover.jobs.jobs(database, keys),
        pki.tsa.renewal.job(stamping.renewal(names, database, keys, clock())),
        *monitor.jobs.jobs(database),
        *backup_jobs.jobs(database, Repository(settings.repository.path)),
        *core.approval.jobs.jobs(database, two_person_acts(settings)),
        *core.duty.jobs.jobs(database),
        *core.notice.jobs.jobs(noticing.outbox(settings, database, SystemClock())),
        *core.ledger.jobs.jobs(database, purger(settings, database)),
    ]


def ledger_place(settings: Settings, keys: SignerClient) -> LedgerPlace:
    """Return where the published log is, with the key that verifies it. Raises ``Unavailable`` without a signer."""
    signing = TokenCheckpointSigner(keys, CHECKPOINT_KEY)
    return LedgerPlace(settings.ledger, checkpoint.verifier_key(settings.site.origin, signing))


def two_person_acts(settings: Settings) -> Acts:
    """Return every act that one person alone may not do: the rules of ``acts.yaml`` and the code of each part."""
    asked, register, numbers = holders(settings), RegisterOfRecord(), accountable.retention()
    kept = [purging.act(register, numbers), erasure.act(register, numbers)]
    ours = [administrator.ACT, activation.ACT, bulk_act.ACT, *crossing_act.ACTS, *takeover.ACTS]
    ours += [departure.act(asked), leveling.act(asked)]
    return Acts(acts.load(), [*ours, *kept])


def build(settings: Settings) -> Built:
    """Build what the interface needs."""
    database, keys, clock = store(settings), signer(settings), SystemClock()
    authenticator = CertificateAuthenticator(database=database, clock=clock)
    group = GroupCommit(database)
    queue = FastQueue(database=database, group=group)
    point = decisions(settings, database, queue, group)
    place, issuing = ledger_place(settings, keys), authority(settings, database, keys, group)
    responder = OcspResponder(database=database, keys=keys, clock=clock)
    every, asked = periods(settings, database), partial(vouching.asked, settings)
    provided: dict[type, object] = {
        Clock: clock,
        Database: database,
        SignerClient: keys,
        Authenticator: authenticator,
        DecisionPoint: point,
        PolicyDecisionPoint: point,
        Gateway: Gateway(clock=clock, authenticator=authenticator, decisions=point),
        CertificateAuthority: issuing,
        Feed: Feed(database=database, responder=responder, clock=clock),
        LedgerPlace: place,
        Origin: Origin(place.origin),
        GoodStanding: CredentialStanding(),
        Acts: two_person_acts(settings),
        Register: RegisterOfRecord(),
        Retention: accountable.retention(),
        Backup: backup(settings, database),
        Holders: holders(settings),
        Outbox: noticing.outbox(settings, database, SystemClock()),
        **parts.provided(database, clock=clock, decisions=point, periods=every, witnesses=asked),
        **registration.provided(database, clock=clock, authority=issuing),
        **enrolling.provided(settings, database, clock=clock, authority=issuing),
        **machines.provided(settings, database, keys, clock=clock, authority=issuing, authenticator=authenticator),
        **stamping.provided(settings, certification(settings), database, keys, clock=clock),
        **vouching.provided(settings, database, keys, clock=clock, place=place, mirror=evidence_mirror(settings)),
    }
    return Built(settings, provided, queue)
