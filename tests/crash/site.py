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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url
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


@dataclass(frozen=True)
class StoreMaker:
    """Makes stores of one kind by ``like``, which copies the one at an address; nobody is connected to that."""

    template: str
    like: Callable[[str], str]

    def __call__(self) -> str:
        """Return the address of a new store with every table and the province in it."""
        return self.like(self.template)


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
        #: What the newest list of each shard was found right with: its number twice, and what is listed.
        self.shards: dict[int, tuple[int, int, frozenset[str]]] = {}

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

    def close(self, *, keep: bool = False) -> None:
        """Close it and remove its folder; ``keep`` keeps the store."""
        self.relay.close()
        self.parts.close()
        self.witness.database.close()
        if self.url.startswith("postgresql") and not keep:
            # A cluster of hundreds of databases would take long to make and to remove.
            postgres.drop(self.url)
        shutil.rmtree(self.folder, ignore_errors=True)


class Founded:
    """A site that was founded and settled once, as it was left; every copy goes its own way, over the same keys."""

    def __init__(self, token: Token, stores: StoreMaker, examine: Callable[[Site], None]) -> None:
        self._token, self._stores, self._url = token, stores, stores()
        self._folder = Path(tempfile.mkdtemp(prefix="gs-founded-", dir=MEMORY))
        site = Site(token, self._url)
        site.settle()
        examine(site)
        self._lists, self._shards = site.lists, site.shards
        self._clock, self._now = site.parts.clock.now(), site.now
        self._witness, self._size, self._left_out = site.witness, site.size, site._left_out
        shutil.copytree(site.folder, self._folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        site.close(keep=True)

    def copy(self) -> Site:
        """Return a site like it, over a signer that is alive."""
        self._token.settle()
        site = Site(self._token, self._stores.like(self._url))
        shutil.copytree(self._folder, site.folder, dirs_exist_ok=True)
        site.now, site.size, site._left_out = self._now, self._size, self._left_out
        site.parts.clock.advance(seconds=(self._clock - site.parts.clock.now()).total_seconds())
        site.lists.update(self._lists)
        site.shards.update(self._shards)
        for kind in ("serials", "lists", "stamps"):
            getattr(site.witness, kind).update(getattr(self._witness, kind))
        site.witness.violations += self._witness.violations
        return site

    def remove(self) -> None:
        """Remove what copies are made of."""
        shutil.rmtree(self._folder, ignore_errors=True)


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
    template = f"sqlite:///{folder}/template.sqlite3"
    fill(template)
    count = iter(range(1_000_000))

    def like(url: str) -> str:
        fresh = folder / f"store-{next(count)}.sqlite3"
        known = url.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(known)) as old, contextlib.closing(sqlite3.connect(fresh)) as new:
            old.backup(new)
        return f"sqlite:///{fresh}"

    try:
        yield StoreMaker(template, like)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_stores(cluster: postgres.Cluster) -> StoreMaker:
    template = cluster.create()
    fill(template)
    return StoreMaker(template, lambda url: cluster.create(template=str(make_url(url).database)))
