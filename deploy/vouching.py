"""Wiring of whoever vouches for our evidence, and of us vouching for others': witnesses and time-stamp authorities."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from core.clock import Clock
from core.database import Database
from core.jobs import Job
from core.ledger import checkpoint, jobs, timestamp, trustpolicy
from core.ledger.place import LedgerPlace
from core.ledger.timestamping import Timestamping
from core.ledger.trustpolicy import TrustPolicy
from core.ledger.witness import Witness
from core.ledger.witnessing import Witnessing
from core.pace import Pace
from deploy import stamping
from deploy.file import read_bytes
from deploy.outward import HttpPoster
from deploy.settings import Settings
from hsm.client import SignerClient
from hsm.signer import TokenCheckpointSigner
from pki.tsa.poster import OwnPoster

#: The label of the key that cosigns the checkpoints of others.
WITNESS_KEY = "witness"

#: Checkpoints that one address may submit to our witness: at once, and again over this while.
_SUBMISSIONS, _WHILE = 60, timedelta(seconds=30)


def provided(
    settings: Settings, database: Database, keys: SignerClient, *, clock: Clock, place: LedgerPlace, mirror: Path
) -> Mapping[type, object]:
    """Return what the interface needs, by type."""
    return {
        Witness: witness(settings, database, keys, clock),
        Witnessing: witnessing(settings, database, clock, place, mirror),
        Timestamping: timestamping(settings, database, keys, clock=clock, mirror=mirror),
        Pace: Pace(clock=clock, most=_SUBMISSIONS, within=_WHILE),
    }


def background(
    settings: Settings,
    database: Database,
    keys: SignerClient,
    *,
    clock: Clock,
    place: Callable[[], LedgerPlace],
    mirror: Path,
) -> list[Job]:
    """Return the jobs of what is configured; ``place``, which needs a signer, is asked for only by witnessing."""
    made, every = [], periods(settings)
    if jobs.WITNESS in every:
        asking = witnessing(settings, database, clock, place(), mirror)
        made.append(jobs.witness_job(asking, every=every[jobs.WITNESS]))
    made.append(jobs.timestamp_job(timestamping(settings, database, keys, clock=clock, mirror=mirror)))
    return made


def periods(settings: Settings) -> dict[str, timedelta]:
    """Return how often each of these jobs runs, by name; this needs no signer."""
    made = {jobs.TIMESTAMP: jobs.STAMPED_EVERY}
    if settings.witness.policy is not None:
        made[jobs.WITNESS] = timedelta(seconds=settings.witness.every_seconds)
    return made


def asked(settings: Settings) -> list[str]:
    """Return the names of the witnesses that are asked. Raises ``NotFound`` and ``BadPolicy``."""
    return [one.key.name for one in policy(settings).witnesses.values() if one.url]


def policy(settings: Settings) -> TrustPolicy:
    """Return the trust policy that says who witnesses us. Raises ``NotFound`` and ``BadPolicy`` for its file."""
    path = settings.witness.policy
    return trustpolicy.parse_policy(read_bytes(settings.state / path) if path else b"quorum none\n")


def witness(settings: Settings, database: Database, keys: SignerClient, clock: Clock) -> Witness:
    """Return our witness; it knows the logs of the settings. Raises ``BadCheckpoint`` for one that is no key."""
    return Witness(
        database=database,
        clock=clock,
        signer=TokenCheckpointSigner(keys, WITNESS_KEY),
        name=settings.witness.name or f"{settings.site.origin}/witness",
        logs=[checkpoint.parse_verifier_key(text) for text in settings.witness.logs],
    )


def witnessing(settings: Settings, database: Database, clock: Clock, place: LedgerPlace, mirror: Path) -> Witnessing:
    """Return what has our log witnessed. Raises ``NotFound`` and ``BadPolicy`` for the trust policy's file."""
    trusted = settings.witness.trusted
    return Witnessing(
        database=database,
        clock=clock,
        place=place,
        mirror=mirror,
        policy=policy(settings),
        poster=HttpPoster(settings.state / trusted if trusted else None),
    )


def timestamping(
    settings: Settings, database: Database, keys: SignerClient, *, clock: Clock, mirror: Path
) -> Timestamping:
    """Return what has our log time-stamped: by those that are configured, or else by our own authority.

    Raises ``NotFound`` and ``Malformed`` for a file of roots.
    """
    asked = settings.timestamp
    own = not asked.urls
    return Timestamping(
        database=database,
        clock=clock,
        directory=settings.ledger,
        mirror=mirror,
        urls=asked.urls or [f"{settings.public_url}/tsa"],
        roots=_own_roots(settings) if own else _read_roots(settings, asked.roots),
        every=timedelta(minutes=asked.every_minutes),
        poster=OwnPoster(stamping.authority(settings, database, keys, clock)) if own else HttpPoster(),
    )


def _read_roots(settings: Settings, path: Path | None) -> Sequence[x509.Certificate]:
    return timestamp.read_roots(read_bytes(settings.state / path)) if path else ()


def _own_roots(settings: Settings) -> Sequence[x509.Certificate]:
    """Return the root of a site that has been founded: of what is trusted, the one that nobody else issued."""
    known = _read_roots(settings, settings.trusted if settings.trusted.exists() else None)
    return [one for one in known if one.subject == one.issuer]
