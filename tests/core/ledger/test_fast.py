"""Fast mode: answered when queued, stored within 50 ms, and nothing is taken in while something is late."""

import time
from pathlib import Path

import pytest
from sqlmodel import SQLModel, select

from core.database import Database
from core.errors import Malformed
from core.ledger.entry import Event
from core.ledger.errors import QueueFull
from core.ledger.fast import WINDOW, FastQueue
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow
from tests.clock import ManualClock
from tests.failing import FailingDatabase, Failure

#: Long enough for a machine that does much else; what happens after the real one is a test of its own.
PATIENT = 20.0

EVENT = Event("test.thing.made", "li", "thing:1")


def stored(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.exec(select(EvidenceRow.identifier)))


def made(tmp_path: Path) -> FailingDatabase:
    database = FailingDatabase(f"sqlite:///{tmp_path}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    return database


def test_what_was_taken_in_is_stored_soon(database: Database, clock: ManualClock) -> None:
    queue = FastQueue(database=database, group=GroupCommit(database), window=PATIENT)
    taken = {queue.put(EVENT, at=clock.now()) for _ in range(20)}
    for _ in range(400):
        if stored(database) == taken:
            break
        time.sleep(0.01)
    assert stored(database) == taken
    queue.close()


def test_an_orderly_end_stores_everything_and_takes_in_nothing_more(tmp_path: Path, clock: ManualClock) -> None:
    database = made(tmp_path)
    queue = FastQueue(database=database, group=GroupCommit(database), window=PATIENT)
    taken = {queue.put(EVENT, at=clock.now()) for _ in range(20)}
    queue.close()
    assert stored(database) == taken
    with pytest.raises(QueueFull):
        queue.put(EVENT, at=clock.now())
    database.close()


@pytest.mark.parametrize("how", list(Failure))
def test_a_write_that_fails_is_done_again_once(tmp_path: Path, clock: ManualClock, how: Failure) -> None:
    database = made(tmp_path)
    database.arm(1, how)
    queue = FastQueue(database=database, group=GroupCommit(database), window=PATIENT)
    taken = {queue.put(EVENT, at=clock.now()) for _ in range(5)}
    queue.close()
    assert stored(database) == taken
    database.close()


def test_a_full_queue_refuses(sqlite_database: Database, clock: ManualClock) -> None:
    queue = FastQueue(database=sqlite_database, group=GroupCommit(sqlite_database), capacity=3, window=PATIENT)
    with sqlite_database.write():
        # The store is busy: nothing can be stored now.
        for _ in range(3):
            queue.put(EVENT, at=clock.now())
        with pytest.raises(QueueFull):
            queue.put(EVENT, at=clock.now())
    queue.close()
    assert len(stored(sqlite_database)) == 3


def test_while_one_is_late_nothing_more_is_taken_in(sqlite_database: Database, clock: ManualClock) -> None:
    queue = FastQueue(database=sqlite_database, group=GroupCommit(sqlite_database))
    with sqlite_database.write():
        queue.put(EVENT, at=clock.now())
        time.sleep(WINDOW * 1.5)
        with pytest.raises(QueueFull, match="late"):
            queue.put(EVENT, at=clock.now())
    for _ in range(400):
        if not queue._waiting:
            break
        time.sleep(0.01)
    queue.put(EVENT, at=clock.now())
    queue.close()
    assert len(stored(sqlite_database)) == 2


def test_what_is_no_record_is_refused_at_once(sqlite_database: Database, clock: ManualClock) -> None:
    queue = FastQueue(database=sqlite_database, group=GroupCommit(sqlite_database))
    with pytest.raises(Malformed):
        queue.put(Event("a.b", "l" * 121, "x"), at=clock.now())
    queue.close()
