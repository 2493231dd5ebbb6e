"""When a checkpoint is signed: each second, each thousand records, at once for whoever waits, whatever the clock."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlmodel import select

from core.errors import Unavailable
from core.ledger import publication
from core.ledger.errors import LeaseHeld
from core.ledger.models import LedgerCheckpoint, LedgerWish
from core.ledger.sequencer import Sequencer
from tests.clock import ManualClock
from tests.core.ledger.logs import Log


@contextmanager
def running(sequencer: Sequencer) -> Iterator[list[Exception]]:
    stop, raised = threading.Event(), list[Exception]()

    def work() -> None:
        try:
            sequencer.run(stop)
        except Exception as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join()
    assert raised == []


def sizes(log: Log) -> list[int]:
    with log.database.read() as session:
        return sorted(session.exec(select(LedgerCheckpoint.size)))


def published(log: Log) -> int:
    with log.database.read() as session:
        return publication.published_size(session)


def wait_until(log: Log, size: int, seconds: float) -> float:
    began = time.monotonic()
    while published(log) < size:
        assert time.monotonic() - began < seconds, f"{published(log)} of {size} records are published"
        time.sleep(0.01)
    return time.monotonic() - began


def test_records_that_trickle_in_are_signed_for_together(sqlite_log: Log) -> None:
    with running(sqlite_log.sequencer()):
        total = 0
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            sqlite_log.append(1)
            total += 1
            time.sleep(0.01)
        wait_until(sqlite_log, total, 20)
    assert 2 <= len(sizes(sqlite_log)) <= 6
    assert sqlite_log.check() == total


def test_a_thousand_records_do_not_wait_for_the_second(sqlite_log: Log) -> None:
    sqlite_log.append(2_500)
    sqlite_log.sequencer().run_once()
    assert sizes(sqlite_log) == [1_000, 2_000, 2_500]
    sqlite_log.check()


def test_whoever_waits_does_not_wait_for_the_second(log: Log) -> None:
    """A record just after a checkpoint would be signed for a second later; somebody waits, so it is not."""
    with running(log.sequencer()):
        log.append(1)
        wait_until(log, 1, 20)
        waited = []
        for number in range(1, 6):
            (identifier,) = log.append(1)
            began = time.monotonic()
            assert publication.await_publication(log.database, identifier, timeout=20) == number
            waited.append(time.monotonic() - began)
    assert sorted(waited)[2] < 0.6, waited
    with log.database.read() as session:
        assert session.exec(select(LedgerWish)).all() == []


def test_a_wish_that_nobody_waits_for_any_more_goes(log: Log) -> None:
    sequencer = log.sequencer()
    (identifier,) = log.append(1)
    sequencer.run_once()
    with log.database.write() as session:
        session.add(LedgerWish(record=identifier))
    sequencer.run_once()
    with log.database.read() as session:
        assert session.exec(select(LedgerWish)).all() == []


def test_two_may_wait_for_the_same_record(log: Log) -> None:
    (identifier,) = log.append(1)
    for _ in range(2):
        with pytest.raises(Unavailable):
            publication.await_publication(log.database, identifier, timeout=0.02)
    log.sequencer().run_once()
    assert publication.await_publication(log.database, identifier, timeout=0.02) == 0


def test_a_clock_set_back_stops_nothing(log: Log, clock: ManualClock) -> None:
    first = log.sequencer(owner="one")
    log.append(3)
    first.run_once()
    clock.advance(hours=-5)
    log.append(2)
    assert first.run_once() == 2
    # Its lease was taken again by the new time: another one takes over ten seconds after it fell silent, not in hours.
    second = log.sequencer(owner="two")
    with pytest.raises(LeaseHeld):
        second.run_once()
    clock.advance(seconds=11)
    log.append(1)
    assert second.run_once() == 1
    assert log.check() == 6


def test_a_lease_from_a_future_that_was_none_is_no_lease(log: Log, clock: ManualClock) -> None:
    first, second = log.sequencer(owner="one"), log.sequencer(owner="two")
    log.append(1)
    first.run_once()
    # The machine stopped, and came back with its clock an hour behind.
    clock.advance(hours=-1)
    log.append(1)
    assert second.run_once() == 1
    assert log.check() == 2
