"""What the border tells is a duty of the post that answers for it, and its title says nothing that is classified."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from core.database import Database
from core.duty import duty
from monitor import coverage, finding
from monitor.sighting import Blind
from tests.clock import ManualClock
from tests.monitor import province


@pytest.fixture
def filled(database: Database, clock: ManualClock) -> Database:
    province.load(database, clock.now())
    return database


def waiting(session: Session) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.object, one.post, one.domain) for one in duty.waiting(session)]


def test_an_alert_is_one_duty_of_who_operates_however_often_it_is_told(filled: Database, clock: ManualClock) -> None:
    with filled.write() as session:
        province.passed(session, 1, "li-wen", clock.now())
        told = province.leak(1, "li-wen", clock.now() + timedelta(seconds=1))
        for _ in range(2):
            finding.enter(session, told, now=clock.now())
        ((kind, object_, post, domain),) = waiting(session)
        (row,) = duty.waiting(session)
    assert (kind, post, domain) == ("alert", "czt-operations", "outer-finance")
    assert object_.startswith("alert:")
    assert not any(word in row.title for word in ("机密", "李文", "li-wen", "预算"))
    assert row.due == clock.now() + timedelta(hours=4)


def test_a_blind_window_is_a_duty_until_it_ends(filled: Database, clock: ManualClock) -> None:
    window = Blind(id="sensor-1:blind:1:engine-died", sensor="sensor-1", at=clock.now(), cause="engine-died", dropped=0)
    ended = window.model_copy(update={"until": clock.now() + timedelta(minutes=1), "revision": window.revision + 1})
    with filled.write() as session:
        for told in (window, window):
            coverage.enter(session, told, now=clock.now())
        assert waiting(session) == [("blind-window", f"window:{window.id}", "xxb-operations", "management")]
        coverage.enter(session, ended, now=clock.now())
        assert waiting(session) == []


def test_a_silent_sensor_is_a_duty_until_it_is_heard(filled: Database, clock: ManualClock) -> None:
    with filled.write() as session:
        coverage.hear(session, "sensor-1", now=clock.now())
        clock.advance(seconds=21)
        coverage.notice_silence(session, now=clock.now())
        assert [kind for kind, _, _, _ in waiting(session)] == ["blind-window"]
        coverage.hear(session, "sensor-1", now=clock.now())
        assert waiting(session) == []
