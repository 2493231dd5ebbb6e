"""Certificates issued: checked against the register, linted, intention and outcome committed, signed in the token.

The peer is cfssl, over HTTP with a key in memory; what it is measured with stands in the name of each comparison. Ours
is called without HTTP, and its signer process is counted with it. A round counts only when everything was issued.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from core.clock import Clock
from core.database import Database
from core.ledger.group import GroupCommit
from core.registry import change, loader
from deploy import schema
from deploy.bench import cfssl
from deploy.bench.cfssl import Cfssl
from deploy.bench.cpu import seconds_of
from deploy.bench.measurement import Measurement, compare
from deploy.file import read_text
from hsm.client import SignerClient
from pki import hierarchy
from pki.issuance import LARGEST, CertificateAuthority, Outcome
from pki.request import IssuanceRequest, IssuedCertificate
from pki.settings import PkiSettings

#: Of the sample province, for whom everything is issued.
HOLDER = "li-wen"

_PROVINCE = Path(__file__).parents[1] / "province" / "beichen.yaml"
SETTINGS = PkiSettings(organisation="演练样本 bench", public_url="http://localhost:8480")

#: Certificates in one round: by 16 threads one by one, and in whole batches.
_SINGLY, _WRITERS, _BATCHES = 160, 16, 1


def measure(directory: Path, client: SignerClient, signer: int, clock: Clock, *, rounds: int) -> list[Measurement]:
    """Compare on the disk of ``directory``; ``signer`` is the process behind ``client``."""
    csr = _csr()
    with (
        authority(directory / "issuance.sqlite3", client, clock) as (_database, issuing),
        cfssl.running(directory / "stored", csr, stores=True) as stored,
        cfssl.running(directory / "unstored", csr, stores=False) as unstored,
    ):
        ours = _Ours(issuing, signer)
        return [
            _compare("issuance-durable-vs-cfssl-sqlite", ours.singly, stored, "a row in SQLite", rounds),
            _compare("issuance-batch-vs-cfssl-sqlite", ours.together, stored, "a row in SQLite", rounds),
            _compare("issuance-batch-vs-cfssl", ours.together, unstored, "nothing stored", rounds),
            compare(
                "issuance-cpu-vs-cfssl-sqlite",
                ours=ours.per_second_of_cpu,
                peer=lambda: _per_second_of_cpu(stored),
                peer_name="cfssl over HTTP, a row in SQLite",
                unit="certificates/s of processor time",
                rounds=rounds,
            ),
        ]


def _compare(name: str, ours: Callable[[], float], peer: Cfssl, stored: str, rounds: int) -> Measurement:
    return compare(
        name,
        ours=ours,
        peer=lambda: peer.issue(_SINGLY),
        peer_name=f"cfssl over HTTP, {cfssl.CLIENTS} connections, {stored}",
        unit="certificates/s",
        rounds=rounds,
    )


class _Ours:
    def __init__(self, authority: CertificateAuthority, signer: int) -> None:
        self._authority = authority
        self._signer = signer

    def singly(self) -> float:
        """Let many threads issue one certificate after the other."""
        requests = self._requests(_SINGLY)
        begun = time.perf_counter()
        with ThreadPoolExecutor(_WRITERS) as threads:
            made = list(threads.map(lambda one: self._authority.issue(one, actor="bench").serial, requests))
        return len(made) / (time.perf_counter() - begun)

    def together(self) -> float:
        """Issue whole batches."""
        batches = [self._requests(LARGEST) for _ in range(_BATCHES)]
        begun = time.perf_counter()
        made = [one for batch in batches for one in self._authority.issue_batch(batch, actor="bench")]
        seconds = time.perf_counter() - begun
        return _all_issued(made) / seconds

    def per_second_of_cpu(self) -> float:
        """Return how many certificates of a batch a second of processor time gives, the signer's included."""
        batch = self._requests(LARGEST)
        before = time.process_time() + seconds_of(self._signer)
        made = self._authority.issue_batch(batch, actor="bench")
        seconds = time.process_time() + seconds_of(self._signer) - before
        return _all_issued(made) / seconds

    def _requests(self, number: int) -> list[IssuanceRequest]:
        """Make requests, each over a key of its own: none is answered with what was issued before."""
        return [request() for _ in range(number)]


def _all_issued(made: Sequence[Outcome]) -> int:
    """Return how many certificates were issued. Raises ``RuntimeError`` when one was refused: nothing then counts."""
    if refused := sum(not isinstance(one, IssuedCertificate) for one in made):
        raise RuntimeError(f"{refused} of {len(made)} requests were refused")
    return len(made)


def _per_second_of_cpu(peer: Cfssl) -> float:
    before = peer.cpu
    peer.issue(_SINGLY)
    return _SINGLY / (peer.cpu - before)


@contextmanager
def authority(store: Path, client: SignerClient, clock: Clock) -> Iterator[tuple[Database, CertificateAuthority]]:
    """Run an authority over a new store, which has the sample province's register."""
    database = Database(f"sqlite:///{store}")
    schema.upgrade(database)
    with database.write() as session:
        change.apply(session, loader.parse_province(read_text(_PROVINCE)), actor="bench", at=clock.now())
    hierarchy.establish(database, client, clock, secrets.token_bytes, SETTINGS)
    try:
        made = CertificateAuthority(
            database=database,
            group=GroupCommit(database),
            keys=client,
            clock=clock,
            random=secrets.token_bytes,
            settings=SETTINGS,
        )
        yield database, made
    finally:
        database.close()


def request() -> IssuanceRequest:
    """Return a request over a key of its own."""
    return IssuanceRequest(_csr().encode("ascii"), "person", None, HOLDER)


def _csr() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, HOLDER)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode("ascii")
