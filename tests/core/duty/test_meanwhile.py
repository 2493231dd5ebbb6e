"""A duty that somebody else changes while it is acted on: what was looked at before is not what is acted on.

On PostgreSQL, where two transactions run side by side; SQLite lets one write at a time.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from core.database import Database
from core.duty import duty, jobs, lapse
from core.duty.errors import AlreadySettled
from core.duty.models import Duty
from core.identity import PersonId, PostId
from core.ledger.models import EvidenceRow
from core.registry import change, handover, history, leaver
from core.registry.handover import Order
from core.registry.holding import Holders
from core.registry.leaver import Leaving
from core.registry.models import Post
from core.registry.tenure import Tenure
from tests.aside import Aside
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


def tell_of(session: Session, clock: ManualClock, object_: str, post: str) -> str:
    return duty.raise_duty(
        session,
        kind="alert",
        object_=object_,
        title="告警 · alert",
        post=post,
        domain="outer-finance",
        due=clock.now() + timedelta(hours=4),
        at=clock.now(),
        actor="device:sensor-1",
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


def hand_over(session: Session, clock: ManualClock) -> object:
    order = Order(PostId("czt-head"), PersonId("chu-dev"), "演练样本")
    return handover.hand_over(session, order, actor="x", now=clock.now()).incoming


def leave(session: Session, clock: ManualClock) -> object:
    leaving = Leaving(PersonId("wu-ops"), "演练样本", PersonId("chu-dev"))
    leaver.leave(session, Holders((Tenure(),)), leaving, actor="x", at=clock.now())
    return "left"


def apply(session: Session, clock: ManualClock) -> object:
    return change.apply(session, history.whole(session, clock.now()), actor="x", at=clock.now()).is_empty


@pytest.mark.parametrize(("act", "outcome"), [(hand_over, "chu-dev"), (leave, "left"), (apply, True)])
def test_a_job_that_tells_many_posts_and_whoever_holds_posts_both_end(
    database: Database,
    clock: ManualClock,
    waiting: str,  # the province, too
    act: Callable[[Session, ManualClock], object],
    outcome: object,
) -> None:
    """Whoever acts holds the first posts and comes to the last; the job has told the last, and the first is next."""

    def asked() -> object:
        with database.write() as session:
            return act(session, clock)

    with database.write() as session:
        posts = session.exec(select(Post.id).order_by(Post.id)).all()
        tell_of(session, clock, "alert:2", posts[-1])
        acting = Aside(asked)
        time.sleep(0.5)
        tell_of(session, clock, "alert:3", posts[0])
    assert acting.end() == outcome
    assert records(database) == ["raised"] * 3


def prepare_follow(session: Session, clock: ManualClock, told: Sequence[str]) -> None:
    for identifier in told:
        duty.acknowledge(session, identifier, person="wu-ops", proof={}, at=clock.now())
    clock.advance(seconds=1)
    leave(session, clock)
    clock.advance(seconds=1)


def follow(session: Session, now: datetime) -> None:
    assert jobs.follow(session, now) == 3


def escalate(session: Session, now: datetime) -> None:
    assert jobs.escalate(session, now + timedelta(hours=5)) == 3


def settle_all(session: Session, now: datetime) -> None:
    lapse.tell(session, "alert", [], now)


@pytest.mark.parametrize("job", [follow, escalate, settle_all])
def test_jobs_take_duties_in_one_order(
    database: Database, clock: ManualClock, waiting: str, job: Callable[[Session, datetime], None]
) -> None:
    """By kind and object, whatever is due first: while a job waits for the first, the others are everybody's."""
    told = [waiting]
    for object_ in ("alert:3", "alert:2"):
        with database.write() as session:
            told.append(tell_of(session, clock, object_, "czt-operations"))
            session.get_one(Duty, told[-1]).due = clock.now() + timedelta(hours=1)
    if job is follow:
        with database.write() as session:
            prepare_follow(session, clock, told)

    def run() -> None:
        with database.write() as session:
            job(session, clock.now())

    with database.write() as session:
        duty.get(session, waiting, hold=True)
        running = Aside(run)
        time.sleep(0.5)
        free = select(Duty.id).where(col(Duty.id).in_(told)).with_for_update(skip_locked=True)
        assert set(session.exec(free)) == set(told)
    running.end()
