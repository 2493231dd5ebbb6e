"""Background work of duties: they follow who holds the post; what is overdue goes to the post in charge as well."""

from datetime import datetime, timedelta

from sqlmodel import Session

from core.database import Database
from core.duty import duty, escalation, lapse, survey
from core.jobs import Job

_ACTOR = "device:trust"


def jobs(database: Database) -> list[Job]:
    """Return the jobs of this package."""

    def escalate_overdue(now: datetime) -> None:
        with database.write() as session:
            escalate(session, now)

    def follow_holders(now: datetime) -> None:
        with database.write() as session:
            follow(session, now)

    def tell_lapsing(now: datetime) -> None:
        with database.write() as session:
            lapse.tell_agreements(session, now)
            lapse.tell_roles(session, now)

    return [
        Job("duty.holder.follow", timedelta(seconds=30), follow_holders),
        Job("duty.overdue.escalate", timedelta(seconds=30), escalate_overdue),
        Job("duty.end.lapse", timedelta(minutes=10), tell_lapsing),
    ]


def follow(session: Session, now: datetime) -> int:
    """Let whoever holds a post now take up anew what the holder before them had taken up; return how many duties."""
    taken_up = duty.in_turn(one for one in duty.waiting(session) if one.acknowledged_by)
    return sum(duty.pass_on(session, one, actor=_ACTOR, at=now) for one in taken_up)


def escalate(session: Session, now: datetime) -> int:
    """Let every overdue duty go to the post in charge as well; return how many did."""
    moved = 0
    for one in duty.in_turn(duty.waiting(session)):
        if one.escalated_post or not escalation.is_overdue(one.due, now):
            continue
        post = escalation.target(one.post, survey.chain(session, one.domain))
        if post:
            duty.escalate(session, one, post, actor=_ACTOR, at=now)
            moved += 1
    return moved
