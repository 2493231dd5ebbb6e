"""Acknowledged records (committed, while the sequencer numbers and signs beside), and the same octets fdatasync'ed.

Acknowledged is what a writer is told once its record is committed together with its act; numbers, tiles and checkpoints
are derived from the records and can be made again. A round counts only when afterwards every record that was
acknowledged is numbered and under a published checkpoint.

There are two peers (``plain.py``). As many writers of one plain file, of whom each waits for the disk after each of its
records, are what somebody would have without a store. One write and one fdatasync for a whole group is the floor:
nothing that survives a crash is quicker. Neither has a store, an index, a tree or a signature.
"""

import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlmodel import SQLModel, col, func, select

from core.clock import Clock
from core.database import Database
from core.ledger.entry import Event, JsonValue, encode
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow, LedgerCheckpoint, LedgerLease, LedgerWish
from core.ledger.publication import published_size
from deploy.bench import plain, postgres
from deploy.bench.measurement import Measurement, Peer, compare_all
from deploy.children import Child
from deploy.rehearsal.step import wait_for

#: Writers at once, and how many records each hands in, one after the other, in one round.
WRITERS = {1: 600, 16: 100, 256: 12}

#: Records that one writer hands in together, and how often in one round.
TOGETHER = {16: 60, 256: 12}

_TABLES = [str(one.__tablename__) for one in (EvidenceRow, LedgerLease, LedgerCheckpoint, LedgerWish)]

_UNIT = "records/s"

#: Seconds until everything that was acknowledged must be published.
_PUBLISHED_WITHIN = 60


def measure(directory: Path, signer: Path, clock: Clock, *, rounds: int) -> list[Measurement]:
    """Compare on SQLite and on PostgreSQL, on the disk of ``directory``; the signer's state is in ``signer``."""
    for name in ("sqlite", "postgres", "on-postgres"):
        (directory / name).mkdir()
    with _bench(f"sqlite:///{directory}/store.sqlite3", directory / "sqlite", signer, clock) as bench:
        found = bench.measure("", rounds)
    with (
        postgres.running(directory / "postgres", sockets=signer.parent) as cluster,
        _bench(cluster.create("bench"), directory / "on-postgres", signer, clock) as bench,
    ):
        return [*found, *bench.measure("-postgres", rounds)]


@contextmanager
def _bench(url: str, place: Path, signer: Path, clock: Clock) -> "Iterator[_Bench]":
    with _store(url) as database, _sequencer(url, place, signer):
        yield _Bench(database, clock, place / "flat")


class _Bench:
    def __init__(self, database: Database, clock: Clock, flat: Path) -> None:
        self._database = database
        self._clock = clock
        self._flat = flat
        self._group = GroupCommit(database)
        self._acknowledged = 0

    def measure(self, suffix: str, rounds: int) -> list[Measurement]:
        """Compare every size."""
        found: list[Measurement] = []
        for size, times in WRITERS.items():
            peers = [self._plain(f"ledger-{size}-vs-fdatasync{suffix}", size, times)]
            peers += [self._floor(f"ledger-{size}-vs-one-fdatasync{suffix}", size, times)] if size > 1 else []
            ours = partial(self.separately, size, times)
            found += compare_all(peers, ours=ours, unit=_UNIT, rounds=rounds)
        for size, times in TOGETHER.items():
            peers = [self._floor(f"ledger-batch-{size}-vs-one-fdatasync{suffix}", size, times)]
            found += compare_all(peers, ours=partial(self.together, size, times), unit=_UNIT, rounds=rounds)
        return found

    def _plain(self, name: str, writers: int, times: int) -> Peer:
        title = f"{writers} of the same file, each record one write and one fdatasync"
        return Peer(name, title, partial(plain.separately, self._flat, self._records(writers), times))

    def _floor(self, name: str, size: int, times: int) -> Peer:
        title = f"one write and one fdatasync for {size} records"
        return Peer(name, title, partial(plain.together, self._flat, self._records(size), times))

    def _records(self, count: int) -> list[bytes]:
        now = self._clock.now()
        return [encode(_event(n), identifier=secrets.token_hex(16), at=now) for n in range(count)]

    def separately(self, writers: int, times: int) -> float:
        """Let each of ``writers`` hand in one record after the other and wait for each."""
        said = [0] * writers
        threads = [threading.Thread(target=self._write, args=(said, number, times)) for number in range(writers)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._rate(sum(said), writers * times, begun)

    def _write(self, said: list[int], number: int, times: int) -> None:
        for count in range(times):
            self._group.append(_event(count), at=self._clock.now())
            said[number] += 1

    def together(self, size: int, times: int) -> float:
        """Let one writer hand in ``size`` records at once, again and again."""
        begun = time.perf_counter()
        said = 0
        for _ in range(times):
            said += len(self._group.append_all([_event(count) for count in range(size)], at=self._clock.now()))
        return self._rate(said, size * times, begun)

    def _rate(self, said: int, expected: int, begun: float) -> float:
        """Return the rate until now, once everything acknowledged is published: else the round is worth nothing."""
        seconds = time.perf_counter() - begun
        if said != expected:
            raise RuntimeError(f"{expected - said} of {expected} records were refused")
        self._acknowledged += said
        if wait_for(self._all_published, seconds=_PUBLISHED_WITHIN) is None:
            raise RuntimeError(f"not every acknowledged record was published within {_PUBLISHED_WITHIN} s")
        return said / seconds

    def _all_published(self) -> bool:
        with self._database.read() as session:
            numbered = session.exec(select(func.count()).where(col(EvidenceRow.sequence).is_not(None))).one()
            return numbered == self._acknowledged == published_size(session)


@contextmanager
def _store(url: str) -> Iterator[Database]:
    database = Database(url)
    tables = [SQLModel.metadata.tables[name] for name in _TABLES]
    SQLModel.metadata.create_all(database.engine, tables=tables)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _sequencer(url: str, place: Path, signer: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "deploy.bench.sequencing", url, str(place / "ledger"), str(signer)]
    child = Child("sequencer", command, log=place / "sequencer.log")
    try:
        yield
    finally:
        child.stop()


def _event(number: int) -> Event:
    details: dict[str, JsonValue] = {"path": "/budget/report", "decision": "permit", "number": number}
    return Event("bench.record.made", "p-sample", "resource:fin-budget/report", "outer-finance", details=details)
