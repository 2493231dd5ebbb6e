"""Duties: raised once, told again when they press, acknowledged by who holds the post, settled, each move on record."""

import json
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from core.database import Database
from core.duty import duty
from core.duty.errors import AlreadySettled, NoSuchDuty, NotYours
from core.duty.models import Duty, DutyState
from core.ledger.models import EvidenceRow
from core.registry.errors import NotInRegister
from tests.clock import ManualClock
from tests.people import enter_province

PROOF = {"bound_by": "session"}


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now())
    clock.advance(hours=1)
    return database


def raised(session: Session, clock: ManualClock, *, post: str = "czt-operations", stage: str = "") -> str:
    return duty.raise_duty(
        session,
        kind="alert",
        object_="alert:1",
        title="告警 1 · alert 1",
        post=post,
        domain="outer-finance",
        due=clock.now() + timedelta(hours=4),
        at=clock.now(),
        actor="device:sensor-1",
        stage=stage,
    )


def records(session: Session) -> list[tuple[str, str, str]]:
    rows = session.exec(select(EvidenceRow).where(EvidenceRow.object.startswith("duty:")).order_by(EvidenceRow.row))  # type: ignore[attr-defined, arg-type]  # columns
    return [(row.type, row.actor, row.result) for row in rows]


def test_raising_again_changes_nothing(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        first = raised(session, clock)
    clock.advance(minutes=5)
    with province.write() as session:
        assert raised(session, clock) == first
        assert len(duty.waiting(session)) == 1
        assert records(session) == [("duty.duty.raised", "device:sensor-1", "done")]


def test_a_more_pressing_stage_opens_it_again(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        first = raised(session, clock, stage="30")
        duty.acknowledge(session, first, person="wu-ops", proof=PROOF, at=clock.now())
        assert raised(session, clock, stage="30") == first
        assert duty.get(session, first).state == DutyState.ACKNOWLEDGED
        assert raised(session, clock, stage="7") == first
        assert duty.get(session, first).state == DutyState.OPEN
        assert [type_ for type_, _, _ in records(session)] == [
            "duty.duty.raised",
            "duty.duty.acknowledged",
            "duty.duty.reminded",
        ]


def test_another_post_answers_from_then_on_and_the_deadline_stays(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        first = raised(session, clock)
        due = duty.get(session, first).due
        duty.acknowledge(session, first, person="wu-ops", proof=PROOF, at=clock.now())
        clock.advance(minutes=5)
        assert raised(session, clock, post="czt-head") == first
        found = duty.get(session, first)
        assert (found.post, found.state, found.acknowledged_by, found.due) == ("czt-head", "open", "", due)
        assert records(session)[-1] == ("duty.duty.reminded", "device:sensor-1", "done")
    with province.write() as session, pytest.raises(NotYours, match="czt-head"):
        duty.acknowledge(session, first, person="wu-ops", proof=PROOF, at=clock.now())
    with province.write() as session, pytest.raises(NotInRegister, match="no-such-post"):
        raised(session, clock, post="no-such-post")


def test_only_who_holds_the_post_acknowledges(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        identifier = raised(session, clock)
    with province.write() as session, pytest.raises(NotYours, match="czt-operations"):
        duty.acknowledge(session, identifier, person="zhou-head", proof=PROOF, at=clock.now())
    with province.write() as session:
        done = duty.acknowledge(session, identifier, person="wu-ops", proof=PROOF, at=clock.now())
        assert (done.state, done.acknowledged_by, len(done.signature)) == ("acknowledged", "wu-ops", 32)
        row = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == done.signature)).one()
        assert json.loads(row.content)["details"] == {"about": "alert:1", "bound_by": "session"}


def test_settled_is_settled_and_may_be_raised_anew(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        first = raised(session, clock)
        assert duty.settle(session, kind="alert", object_="alert:1", actor="lu-security", at=clock.now())
        assert not duty.settle(session, kind="alert", object_="alert:1", actor="lu-security", at=clock.now())
        with pytest.raises(AlreadySettled, match="lu-security"):
            duty.acknowledge(session, first, person="wu-ops", proof=PROOF, at=clock.now())
        assert raised(session, clock) != first
        assert len(session.exec(select(Duty)).all()) == 2


def test_done_by_the_person_in_the_post(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        identifier = raised(session, clock)
        done = duty.conclude(session, identifier, person="wu-ops", proof=PROOF, at=clock.now())
        assert (done.state, done.settled_by) == ("settled", "wu-ops")
        assert duty.waiting(session) == []


def test_a_post_or_duty_that_there_is_not_is_refused(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        with pytest.raises(NotInRegister, match="no-such-post"):
            raised(session, clock, post="no-such-post")
        with pytest.raises(NoSuchDuty):
            duty.acknowledge(session, "0" * 32, person="wu-ops", proof=PROOF, at=clock.now())
        assert session.exec(select(Duty)).all() == []
