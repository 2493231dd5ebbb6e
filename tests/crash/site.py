"""A small real site: a token with its signer process, a store, the authorities, the province, evidence and mirror.

``settle`` does what the product does after a crash (start what died, run the jobs, run the sequencer); ``check`` then
demands everything that must hold.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import SQLModel, col, select

from core.database import Database
from core.jobs import JobLease
from core.ledger.models import EvidenceRow, LedgerCheckpoint
from hsm.client import SignerClient
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from hsm.settings import HsmSettings
from pki.models import CrlPublication, IssuanceIntent
from tests.crash import nursery
from tests.crash.fuse import Fuse
from tests.crash.nursery import Child
from tests.crash.parts import CHECKPOINT_KEY, Parts, Place
from tests.crash.witness import Witness
from tests.memory import MEMORY
from tests.people import enter_province
from tests.services import postgres
from tests.services.relay import SignerRelay

#: What the clock is moved on by before the repair: more than any lease, and than the patience with an open intention.
LATER = timedelta(minutes=10)

#: Gives the address of a new store with every table and the province in it.
StoreMaker = Callable[[], str]


class Token:
    """A token and its signer process."""

    def __init__(self, state: Path) -> None:
        self.settings = HsmSettings(state=state)
        self.client = SignerClient(self.settings.socket)
        self.known: dict[str, KeyInfo] = {}
        self.expected: set[str] = set()
        self.signer: Child | None = None

    def make(self) -> None:
        assert Child(nursery.make_token, self.settings.state).wait() == 0
        self.start()
        self.client.generate(CHECKPOINT_KEY, KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)

    def start(self, fuse: Fuse | None = None, *, wait: bool = True) -> bool:
        """Start the signer; say whether it came up."""
        self.settings.socket.unlink(missing_ok=True)
        self.signer = Child(nursery.run_signer, self.settings.state, fuse=fuse)
        return wait and nursery.await_socket(self.settings.socket, self.signer)

    def stop(self) -> None:
        self.client.close()
        if self.signer is not None and self.signer.process.is_alive():
            self.signer.kill()

    def settle(self) -> None:
        """Start the signer again when it died; every key that was ever known is there, and signs."""
        if self.signer is None or not self.signer.process.is_alive():
            assert self.start(), (self.settings.state / "signer.log").read_text()
        found = {info.label: info for info in list(self.client.keys())}
        for label, info in self.known.items():
            assert found.get(label) == info, f"the key `{label}` is gone or another one"
        assert self.expected <= set(found), "a key that was handed out is gone"
        self.known = found
        for label, info in found.items():
            assert self.client.sign(label, bytes(32)), info


class Site:
    """One store on a token."""

    def __init__(self, token: Token, url: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gs-crash-", dir=MEMORY))
        self.token = token
        self.relay = SignerRelay(token.settings.socket, self.folder / "signer.sock")
        self.now = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
        self.url = url
        self.parts = Parts(self.place)
        self.witness = Witness(Database(url))
        self.relay.before = self.witness.see
        self.acknowledged: list[tuple[str, str]] = []
        self.size = 0
        self._left_out = 0
        self.lists: dict[tuple[str, str, int], bytes] = {}

    @property
    def place(self) -> Place:
        return Place(self.folder, self.url, self.relay.path, self.now)

    def open_ends(self) -> Counter[str]:
        """Count what a kill left to be repaired."""
        with self.parts.database.read() as session:
            counts = {
                "intentions given up": select(IssuanceIntent).where(IssuanceIntent.state == "open"),
                "list numbers left out": select(CrlPublication).where(col(CrlPublication.published_at).is_(None)),
                "records numbered": select(EvidenceRow).where(col(EvidenceRow.sequence).is_(None)),
                "checkpoints published": select(LedgerCheckpoint).where(col(LedgerCheckpoint.published_at).is_(None)),
                "leases taken over": select(JobLease).where(col(JobLease.expires).is_not(None)),
            }
            found = Counter({name: len(session.exec(statement).all()) for name, statement in counts.items()})
        # Numbers without a list stay for ever: only new ones are of this kill.
        found["list numbers left out"], self._left_out = (
            found["list numbers left out"] - self._left_out,
            found["list numbers left out"],
        )
        return found

    def settle(self) -> None:
        """Do what the product does by itself after a crash, some time later."""
        self.now += LATER
        self.token.settle()
        self.parts.clock.advance(seconds=(self.now - self.parts.clock.now()).total_seconds())
        self.parts.establish()
        assert self.parts.work_off("second") == []
        self.parts.sequencer().run_once()

    def close(self) -> None:
        self.relay.close()
        self.parts.close()
        self.witness.database.close()
        if self.url.startswith("postgresql"):
            # A cluster of hundreds of databases would take long to make and to remove.
            postgres.drop(self.url)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running_token() -> Iterator[Token]:
    state = Path(tempfile.mkdtemp(prefix="gs-token-", dir=MEMORY))
    token = Token(state)
    try:
        token.make()
        yield token
    finally:
        token.stop()
        shutil.rmtree(state, ignore_errors=True)


def fill(url: str) -> None:
    """Make the tables in an empty store and enter the province."""
    database = Database(url)
    SQLModel.metadata.create_all(database.engine)
    with database.write() as session:
        enter_province(session, datetime(2026, 11, 20, 7, 0, tzinfo=UTC))
    database.close()


@contextlib.contextmanager
def sqlite_stores() -> Iterator[StoreMaker]:
    folder = Path(tempfile.mkdtemp(prefix="gs-stores-", dir=MEMORY))
    template = folder / "template.sqlite3"
    fill(f"sqlite:///{template}")
    count = iter(range(1_000_000))

    def make() -> str:
        fresh = folder / f"store-{next(count)}.sqlite3"
        with contextlib.closing(sqlite3.connect(template)) as old, contextlib.closing(sqlite3.connect(fresh)) as new:
            old.backup(new)
        return f"sqlite:///{fresh}"

    try:
        yield make
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_stores(cluster: postgres.Cluster) -> StoreMaker:
    template = cluster.create()
    fill(template)
    name = template.split("/")[3].split("?")[0]
    return lambda: cluster.create(template=name)
