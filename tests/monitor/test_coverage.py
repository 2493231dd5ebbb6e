"""The centre's book of blind windows on both stores: told, ended, noticed when nothing is told."""

from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from core.database import Database
from core.ledger.models import EvidenceRow
from monitor import coverage
from monitor.finding import Outcome
from monitor.models import Sensor, SensorWindow
from monitor.sighting import Blind
from tests.clock import ManualClock


def recorded(store: Database) -> list[str]:
    with store.read() as session:
        statement = select(EvidenceRow.type).where(col(EvidenceRow.type).startswith("monitor.sensor."))
        return list(session.exec(statement))


def blind(clock: ManualClock, **more: Any) -> Blind:
    values = {"id": "sensor-1:blind:1:engine-ended", "sensor": "sensor-1", "at": clock.now(), "cause": "engine-ended"}
    return Blind.model_validate({**values, **more})


def hear(store: Database, clock: ManualClock, *windows: Blind) -> list[Outcome]:
    with store.write() as session:
        coverage.hear(session, "sensor-1", now=clock.now())
        return [coverage.enter(session, one, now=clock.now()) for one in windows]


def windows(store: Database) -> list[SensorWindow]:
    with store.read() as session:
        return list(coverage.windows(session, limit=10))


def is_blind(store: Database) -> bool:
    with store.read() as session:
        return coverage.is_blind(session, "sensor-1")


def test_a_window_opens_and_closes_once(store: Database, clock: ManualClock) -> None:
    began = clock.now()
    assert hear(store, clock, blind(clock)) == [Outcome.ENTERED]
    assert is_blind(store)
    clock.advance(seconds=7)
    end = blind(clock, at=began, until=clock.now(), revision=2, dropped=5)
    assert hear(store, clock, end) == [Outcome.AMENDED]
    # Late, doubled and out of order changes nothing more.
    assert hear(store, clock, end, blind(clock, at=began)) == [Outcome.KNOWN, Outcome.KNOWN]
    assert not is_blind(store)
    (window,) = windows(store)
    assert (window.since, window.until, window.dropped) == (began, clock.now(), 5)
    kinds = recorded(store)
    assert kinds == ["monitor.sensor.blind", "monitor.sensor.seeing"]


def notice(store: Database, clock: ManualClock) -> int:
    with store.write() as session:
        return coverage.notice_silence(session, now=clock.now())


def test_silence_is_noticed_once_and_ends_when_the_sensor_is_heard(store: Database, clock: ManualClock) -> None:
    assert notice(store, clock) == 0
    hear(store, clock)
    clock.advance(seconds=coverage.SILENCE.total_seconds())
    assert notice(store, clock) == 0
    clock.advance(seconds=1)
    assert [notice(store, clock), notice(store, clock)] == [1, 0]
    assert is_blind(store)
    clock.advance(minutes=10)
    hear(store, clock)
    assert not is_blind(store)
    (window,) = windows(store)
    assert (window.cause, window.until) == ("sensor-silent", clock.now())
    assert window.until is not None
    assert window.until - window.since == timedelta(minutes=10, seconds=21)
    clock.advance(minutes=1)
    assert notice(store, clock) == 1
    assert len(windows(store)) == 2


def test_hearing_ends_silence_and_not_what_the_sensor_said(store: Database, clock: ManualClock) -> None:
    hear(store, clock, blind(clock))
    clock.advance(minutes=1)
    notice(store, clock)
    hear(store, clock)
    assert [window.cause for window in windows(store) if window.until is None] == ["engine-ended"]


def test_a_clock_that_goes_back_does_not_unhear_a_sensor(store: Database, clock: ManualClock) -> None:
    hear(store, clock)
    heard = clock.now()
    clock.advance(hours=-1)
    hear(store, clock)
    with store.read() as session:
        assert session.get_one(Sensor, "sensor-1").last_heard == heard
