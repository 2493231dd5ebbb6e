"""Raise, remind, acknowledge and settle duties, in the caller's transaction and with a record of each move."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, or_, select

from core.clock import to_rfc3339
from core.duty import events
from core.duty.errors import AlreadySettled, NoSuchDuty, NotYours
from core.duty.models import Duty, DutyState
from core.ledger import evidence
from core.ledger.entry import JsonValue
from core.registry.errors import NotInRegister
from core.registry.models import Post, PostHolding

_LONGEST_TITLE = 240


def raise_duty(
    session: Session,
    *,
    kind: str,
    object_: str,
    title: str,
    post: str,
    domain: str,
    due: datetime | None,
    at: datetime,
    actor: str,
    stage: str = "",
) -> str:
    """Raise a duty and return its id. Of a kind about an object at most one waits: raising it again changes nothing.

    With another ``stage``, or of another ``post``, the one that waits is told again, and must be acknowledged again.
    Title and object may name ids, never what is personal or classified. Raises ``NotInRegister`` for a post that there
    is not.
    """
    if session.get(Post, post) is None:
        raise NotInRegister(f"no post `{post}` is in the register")
    found = _unsettled(session, kind, object_)
    if found is not None:
        return _remind(session, found, title=title, post=post, due=due, stage=stage, at=at, actor=actor)
    made = Duty(
        id=secrets.token_hex(16),
        kind=kind,
        object=object_,
        title=title[:_LONGEST_TITLE],
        post=post,
        domain=domain,
        stage=stage,
        raised_at=at,
        due=due,
    )
    return _enter(session, made, actor=actor, at=at)


def settle(session: Session, *, kind: str, object_: str, actor: str, at: datetime) -> bool:
    """Settle the duty of this kind about an object, because its cause is gone; say whether one waited."""
    found = _unsettled(session, kind, object_)
    if found is None:
        return False
    _settle(session, found, actor, {}, at)
    return True


def acknowledge(
    session: Session, identifier: str, *, person: str, proof: Mapping[str, JsonValue], at: datetime
) -> Duty:
    """Take a duty up as the person who answers for it; ``proof`` binds the act to the person.

    Raises ``NoSuchDuty``, ``NotYours``, ``AlreadySettled``. Acknowledging twice changes nothing.
    """
    duty = _answered_by(session, identifier, person, at)
    if duty.state == DutyState.ACKNOWLEDGED and duty.acknowledged_by == person:
        return duty
    duty.state, duty.acknowledged_by, duty.acknowledged_at = DutyState.ACKNOWLEDGED.value, person, at
    duty.signature = evidence.append(session, events.acknowledged(duty, person, proof), at=at)
    session.add(duty)
    return duty


def conclude(session: Session, identifier: str, *, person: str, proof: Mapping[str, JsonValue], at: datetime) -> Duty:
    """Settle a duty as done, by the person who answers for it. Raises as ``acknowledge`` does.

    When the cause is still there, whoever raised it raises it again.
    """
    duty = _answered_by(session, identifier, person, at)
    _settle(session, duty, person, proof, at)
    return duty


def pass_on(session: Session, duty: Duty, *, actor: str, at: datetime) -> bool:
    """Open a duty again that somebody took up who answers for it no longer; say whether it was so."""
    duty = get(session, duty.id, hold=True)
    if duty.state != DutyState.ACKNOWLEDGED or answers(duty, posts_of(session, duty.acknowledged_by, at)):
        return False
    _open_again(session, duty, actor=actor, at=at)
    return True


def escalate(session: Session, duty: Duty, post: str, *, actor: str, at: datetime) -> None:
    """Let ``post`` answer for an overdue duty as well; nothing happens when it was settled meanwhile."""
    duty = get(session, duty.id, hold=True)
    if duty.state == DutyState.SETTLED:
        return
    duty.escalated_post, duty.escalated_at = post, at
    session.add(duty)
    evidence.append(session, events.escalated(duty, actor), at=at)


def get(session: Session, identifier: str, *, hold: bool = False) -> Duty:
    """Return a duty; raises ``NoSuchDuty``. With ``hold`` as it is now, and nobody else changes it any more."""
    found = session.get(Duty, identifier, with_for_update=hold or None, populate_existing=hold)
    if found is None:
        raise NoSuchDuty(f"there is no duty `{identifier}`", hint="see `guosuo duty list`")
    return found


def waiting(session: Session) -> Sequence[Duty]:
    """Return every duty that is not settled, the most pressing first."""
    statement = select(Duty).where(Duty.state != DutyState.SETTLED.value)
    return session.exec(statement.order_by(col(Duty.due).is_(None), col(Duty.due), col(Duty.raised_at), Duty.id)).all()


def in_turn(duties: Iterable[Duty]) -> list[Duty]:
    """Return duties in the order in which a transaction changes more than one: of two jobs neither waits for both."""
    return sorted(duties, key=lambda one: (one.kind, one.object))


def posts_of(session: Session, person: str, at: datetime) -> frozenset[str]:
    """Return the posts that a person held at a time."""
    statement = select(PostHolding.post).where(PostHolding.person == person, PostHolding.since <= at)
    return frozenset(session.exec(statement.where(or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at))))


def answers(duty: Duty, posts: frozenset[str]) -> bool:
    """Whether one of ``posts`` answers for the duty. Pure."""
    return duty.post in posts or duty.escalated_post in posts


def _answered_by(session: Session, identifier: str, person: str, at: datetime) -> Duty:
    duty = get(session, identifier, hold=True)
    if not answers(duty, posts_of(session, person, at)):
        raise NotYours(f"`{person}` does not hold `{duty.post}`, the post that this duty belongs to")
    if duty.state == DutyState.SETTLED:
        moment = to_rfc3339(duty.settled_at) if duty.settled_at else ""
        raise AlreadySettled(f"`{duty.settled_by}` settled this duty at {moment}", hint="there is nothing left to do")
    return duty


def _enter(session: Session, made: Duty, *, actor: str, at: datetime) -> str:
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:
        # PostgreSQL: somebody else raised the same at the same moment; theirs is the one that waits.
        return _unsettled_one(session, made.kind, made.object).id
    evidence.append(session, events.raised(made, actor), at=at)
    return made.id


def _remind(
    session: Session, duty: Duty, *, title: str, post: str, due: datetime | None, stage: str, at: datetime, actor: str
) -> str:
    if (duty.stage, duty.post) == (stage, post):
        return duty.id
    if duty.stage != stage:
        duty.title, duty.due, duty.stage = title[:_LONGEST_TITLE], due, stage
    duty.post = post
    _open_again(session, duty, actor=actor, at=at)
    return duty.id


def _open_again(session: Session, duty: Duty, *, actor: str, at: datetime) -> None:
    duty.state, duty.acknowledged_by, duty.acknowledged_at = DutyState.OPEN.value, "", None
    duty.escalated_post, duty.escalated_at = "", None
    session.add(duty)
    evidence.append(session, events.reminded(duty, actor), at=at)


def _settle(session: Session, duty: Duty, actor: str, proof: Mapping[str, JsonValue], at: datetime) -> None:
    duty.state, duty.settled_by, duty.settled_at = DutyState.SETTLED.value, actor, at
    session.add(duty)
    evidence.append(session, events.settled(duty, actor, proof), at=at)


def _unsettled(session: Session, kind: str, object_: str) -> Duty | None:
    statement = select(Duty).where(Duty.kind == kind, Duty.object == object_, Duty.state != DutyState.SETTLED.value)
    # Read anew: what this session saw of it before may be over.
    return session.exec(statement.with_for_update().execution_options(populate_existing=True)).first()


def _unsettled_one(session: Session, kind: str, object_: str) -> Duty:
    found = _unsettled(session, kind, object_)
    assert found is not None
    return found
