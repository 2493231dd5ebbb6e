"""A proposal that waits is a duty: of a post whose holder may decide on it, else of the post in charge."""

from datetime import datetime

from sqlmodel import Session, select

from core.approval import content, inbox, steps
from core.approval.acts import Acts
from core.approval.models import Approval
from core.approval.state import State
from core.duty import duty, survey

KIND = "proposal"


def tell(session: Session, acts: Acts, now: datetime) -> None:
    """Raise the duty of every proposal that waits, settle those of the others."""
    statement = select(Approval).where(Approval.state == State.WAITING.value, Approval.expires > now)
    waiting = {content.name(row.id): row for row in session.exec(statement)}
    over = {one.object for one in duty.waiting(session) if one.kind == KIND} - set(waiting)
    # In their one order, see ``duty.in_turn``.
    for object_ in sorted({*waiting, *over}):
        if object_ in over:
            duty.settle(session, kind=KIND, object_=object_, actor=steps.CLOCK, at=now)
        else:
            _tell_one(session, acts, waiting[object_], now)


def _tell_one(session: Session, acts: Acts, row: Approval, now: datetime) -> None:
    duty.raise_duty(
        session,
        kind=KIND,
        object_=content.name(row.id),
        title=f"待审批 · {row.act} of {row.object} waits for a decision",
        post=_post(session, acts, row, now),
        domain=row.domain,
        due=_due(session, row),
        at=now,
        actor=steps.CLOCK,
        stage=str(row.revision),
    )


def _due(session: Session, row: Approval) -> datetime:
    """Return half of the time that this revision may wait: then whoever is in charge has the other half."""
    since = steps.current(session, row).at
    return since + (row.expires - since) / 2


def _post(session: Session, acts: Acts, row: Approval, now: datetime) -> str:
    able = inbox.deciders(session, acts, row, now)
    posts = sorted({post for one in able for post in duty.posts_of(session, one.person, now)})
    chain = survey.chain(session, row.domain)
    return next((post for post in chain if post in posts), posts[0] if posts else chain[0])
