"""The product's parts over one place, put together as ``deploy/wiring.py`` does; importing this imports them all."""

import functools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy.orm import configure_mappers

from authz import appfile, application, policy
from authz.application import Catalogue
from authz.decision import PolicyDecisionPoint
from authz.policy import Policies
from core.access import DecisionRequest
from core.database import Database
from core.errors import TrustError
from core.identity import SITE, RequestId, SubjectKind
from core.jobs import run_due
from core.ledger import checkpoint
from core.ledger import jobs as ledger_jobs
from core.ledger.group import GroupCommit
from core.ledger.purge import Purger
from core.ledger.sequencer import Sequencer
from core.ledger.storage import Writer
from hsm.client import SignerClient
from hsm.signer import TokenCheckpointSigner
from pki import hierarchy, jobs
from pki.acme import jobs as acme_jobs
from pki.authentication import CertificateAuthenticator
from pki.cmp import jobs as cmp_jobs
from pki.crl import CrlPublisher
from pki.issuance import CertificateAuthority
from pki.ocsp import OcspResponder
from pki.request import IssuanceRequest, IssuedCertificate
from pki.settings import PkiSettings
from pki.takeover import jobs as takeover_jobs
from tests.crash import vouching
from tests.people import PROVINCE

ORIGIN = "evidence.beichen.example/sample"
CHECKPOINT_KEY = "checkpoint"
SETTINGS = PkiSettings(organisation="北辰省 演练样本", public_url="http://localhost:8480")


@functools.cache
def policies() -> Policies:
    return policy.load()


@functools.cache
def catalogue() -> Catalogue:
    """The sample applications."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((PROVINCE.parent / "apps").glob("*.yaml"))]
    described = [appfile.parse_application(text) for text in texts]
    return application.catalogue(described, {one.domain: policies().actions(one.domain) for one in described})


class TickingClock:
    """Every look is a millisecond later, so that no two moments are the same."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def advance(self, **by: float) -> None:
        self._now += timedelta(**by)


@dataclass(frozen=True)
class Place:
    """Where a site is: what a child needs to know, in a form that can be sent to it."""

    folder: Path
    url: str
    signer: Path
    at: datetime


class Parts:
    """Everything a worker has, with connections of its own."""

    def __init__(self, place: Place, database: Database | None = None) -> None:
        self.place = place
        self.clock = TickingClock(place.at)
        self.database = database or Database(place.url)
        self.keys = SignerClient(place.signer)
        self.group = GroupCommit(self.database)
        self.authority = CertificateAuthority(
            database=self.database,
            group=self.group,
            keys=self.keys,
            clock=self.clock,
            random=secrets.token_bytes,
            settings=SETTINGS,
        )
        self.publisher = CrlPublisher(database=self.database, keys=self.keys, clock=self.clock, settings=SETTINGS)
        self.responder = OcspResponder(database=self.database, keys=self.keys, clock=self.clock)
        self.authenticator = CertificateAuthenticator(database=self.database, clock=self.clock)
        self.decisions = PolicyDecisionPoint(
            database=self.database, clock=self.clock, policies=policies(), catalogue=catalogue(), group=self.group
        )

    def close(self) -> None:
        self.keys.close()
        self.database.close()

    def establish(self) -> None:
        hierarchy.establish(self.database, self.keys, self.clock, secrets.token_bytes, SETTINGS)

    def issue(self, holder: str = "li-wen") -> IssuedCertificate:
        request = IssuanceRequest(csr=csr(holder), profile="person", holder_kind=SubjectKind.PERSON, holder=holder)
        return self.authority.issue(request, actor="zhao-ra")

    def issue_batch(self, holders: Sequence[str]) -> list[IssuedCertificate | TrustError]:
        """Ask for a certificate for each; the last of them may be asked for twice."""
        requests = [IssuanceRequest(csr(one), "person", SubjectKind.PERSON, one) for one in holders]
        return self.authority.issue_batch([*requests, requests[-1]], actor="zhao-ra")[:-1]

    def decide(self, certificate: bytes) -> str:
        """Ask whether the holder may see who they are; return the request's id. The answer must be yes."""
        identifier = RequestId(secrets.token_hex(16))
        asked = DecisionRequest(
            principal=self.authenticator.authenticate(certificate),
            action="self:identity:read",
            resource_type="installation",
            resource_id="site",
            domain=SITE,
            request_id=identifier,
        )
        assert self.decisions.decide(asked).allowed
        return identifier

    def work_off(self, owner: str) -> list[str]:
        """Run every job that is due, as the worker process does; return what failed."""
        # The lists last: the worker publishes them beside the others, and so also after them.
        due = [*jobs.jobs(self.database), *acme_jobs.jobs(self.database), *cmp_jobs.jobs(self.database)]
        due += [*ledger_jobs.jobs(self.database, self.purger())]
        due += takeover_jobs.jobs(self.database, self.keys)
        due += jobs.publishing(self.publisher)
        if vouching.is_asked(self.place.folder):
            due += vouching.jobs(self.place.folder, self.database, self.clock, self.vkey())
        return run_due(self.database, due, self.clock, owner)

    def purger(self) -> Purger:
        place = self.place.folder
        return Purger(database=self.database, clock=self.clock, directory=place / "ledger", mirror=place / "mirror")

    def sequencer(self, writer: Writer | None = None) -> Sequencer:
        return Sequencer(
            writer=writer,
            database=self.database,
            clock=self.clock,
            directory=self.place.folder / "ledger",
            origin=ORIGIN,
            signer=TokenCheckpointSigner(self.keys, CHECKPOINT_KEY),
            owner="one",
            mirror=self.place.folder / "mirror",
        )

    def vkey(self) -> str:
        return str(checkpoint.verifier_key(ORIGIN, TokenCheckpointSigner(self.keys, CHECKPOINT_KEY)))


def csr(holder: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject: Mapping[x509.ObjectIdentifier, str] = {NameOID.USER_ID: holder}
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject.items()])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


# Done once, before anything is forked from here.
catalogue()
configure_mappers()
