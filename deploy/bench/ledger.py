"""Records made evidence (stored, numbered, hashed, on disk, signed, published), beside the same octets fdatasync'ed.

The peer is the floor: nothing that survives a crash is faster than one write and one fdatasync. It has no store, no
numbers, no tree, no signature and no mirror.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlmodel import SQLModel

from core.clock import Clock
from core.database import Database
from core.ledger import evidence
from core.ledger.checkpoint import CheckpointSigner
from core.ledger.entry import Event, JsonValue, encode
from core.ledger.models import EvidenceRow, LedgerCheckpoint, LedgerLease
from core.ledger.sequencer import Sequencer
from deploy.bench.measurement import Measurement, compare

ORIGIN = "guosuo.example/bench"

#: Records in one commit, and how often a round repeats that.
SIZES = {1: 20, 16: 20, 256: 5}

_TABLES = [str(one.__tablename__) for one in (EvidenceRow, LedgerLease, LedgerCheckpoint)]


def measure(directory: Path, signer: CheckpointSigner, clock: Clock, *, rounds: int) -> list[Measurement]:
    """Compare each size, on the disk that holds ``directory``."""
    with _store(directory) as database:
        sequencer = Sequencer(
            database=database,
            clock=clock,
            directory=directory / "ledger",
            origin=ORIGIN,
            signer=signer,
            owner="bench",
            mirror=None,
        )
        return [
            compare(
                f"ledger-{size}-vs-fdatasync",
                ours=partial(_ours, database, sequencer, clock, size, times),
                peer=partial(_peer, directory / "flat", clock, size, times),
                peer_name="one write and one fdatasync of the same octets",
                unit="records/s",
                rounds=rounds,
            )
            for size, times in SIZES.items()
        ]


@contextmanager
def _store(directory: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{directory}/store.sqlite3")
    tables = [SQLModel.metadata.tables[name] for name in _TABLES]
    SQLModel.metadata.create_all(database.engine, tables=tables)
    try:
        yield database
    finally:
        database.close()


def _event(number: int) -> Event:
    details: dict[str, JsonValue] = {"path": "/budget/report", "decision": "permit", "number": number}
    return Event("bench.record.made", "p-sample", "resource:fin-budget/report", "outer-finance", details=details)


def _ours(database: Database, sequencer: Sequencer, clock: Clock, size: int, times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        with database.write() as session:
            for number in range(size):
                evidence.append(session, _event(number), at=clock.now())
        # The peer has nothing like it: numbered, signed and published.
        sequencer.run_once()
    return size * times / (time.perf_counter() - begun)


def _peer(path: Path, clock: Clock, size: int, times: int) -> float:
    lines = [encode(_event(number), identifier=secrets.token_hex(16), at=clock.now()) for number in range(size)]
    content = b"".join(lines)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        begun = time.perf_counter()
        for _ in range(times):
            os.write(handle, content)
            os.fdatasync(handle)
        return size * times / (time.perf_counter() - begun)
    finally:
        os.close(handle)
