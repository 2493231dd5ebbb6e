"""A duty that somebody else changes while it is acted on: what was looked at before is not what is acted on.

On PostgreSQL, where two transactions run side by side; SQLite lets one write at a time.
"""

from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.database import Database
from core.duty import duty, jobs
from core.duty.errors import AlreadySettled
from core.ledger.models import EvidenceRow
from tests.clock import ManualClock
from tests.people import enter_province

pytestmark = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


@pytest.fixture
def waiting(database: Database, clock: ManualClock) -> str:
    with database.write() as session:
        enter_province(session, clock.now())
    clock.advance(hours=1)
    return tell(database, clock, "30")


def tell(database: Database, clock: ManualClock, stage: str) -> str:
    with database.write() as session:
        return duty.raise_duty(
            session,
            kind="alert",
            object_="alert:1",
            title="告警 1 · alert 1",
            post="czt-operations",
            domain="outer-finance",
            due=clock.now() + timedelta(hours=4),
            at=clock.now(),
            actor="device:sensor-1",
            stage=stage,
        )


def settle(database: Database, clock: ManualClock) -> None:
    with database.write() as session:
        assert duty.settle(session, kind="alert", object_="alert:1", actor="lu-security", at=clock.now())


def records(database: Database) -> list[str]:
    with database.read() as session:
        rows = session.exec(select(EvidenceRow).where(col(EvidenceRow.object).startswith("duty:")))
        return sorted(row.type.removeprefix("duty.duty.") for row in rows)


def test_what_was_settled_meanwhile_is_not_taken_up(database: Database, clock: ManualClock, waiting: str) -> None:
    with database.write() as session:
        seen = duty.get(session, waiting)
        assert seen.state == "open"
        settle(database, clock)
        with pytest.raises(AlreadySettled, match="lu-security"):
            duty.acknowledge(session, waiting, person="wu-ops", proof={}, at=clock.now())
    assert records(database) == ["raised", "settled"]


def test_what_became_more_pressing_meanwhile_is_read_anew(database: Database, clock: ManualClock, waiting: str) -> None:
    with database.write() as session:
        seen = duty.get(session, waiting)
        assert seen.stage == "30"
        tell(database, clock, "7")
        assert duty.get(session, waiting, hold=True) is seen
        assert seen.stage == "7"


def test_what_was_told_meanwhile_is_not_told_again(database: Database, clock: ManualClock, waiting: str) -> None:
    with database.write() as session:
        (seen,) = duty.waiting(session)
        assert seen.stage == "30"
        tell(database, clock, "7")
        duty.raise_duty(
            session,
            kind="alert",
            object_="alert:1",
            title="告警 1 · alert 1",
            post="czt-operations",
            domain="outer-finance",
            due=None,
            at=clock.now(),
            actor="device:sensor-1",
            stage="7",
        )
    assert records(database) == ["raised", "reminded"]


def test_what_was_settled_meanwhile_does_not_escalate(database: Database, clock: ManualClock, waiting: str) -> None:
    clock.advance(hours=5)
    with database.write() as session:
        (late,) = duty.waiting(session)
        settle(database, clock)
        duty.escalate(session, late, "czt-head", actor="device:trust", at=clock.now())
    assert records(database) == ["raised", "settled"]
    with database.write() as session:
        assert jobs.escalate(session, clock.now()) == 0
