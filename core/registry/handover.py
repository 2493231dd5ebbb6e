"""A post changes hands: at a time, by an appointing act, without a gap and without an overlap."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.clock import to_rfc3339
from core.identity import PersonId, PostId
from core.registry import appointment, change, history, person
from core.registry.errors import BadHandover, NotInRegister
from core.registry.province import PostEntry

#: Most characters of an appointing act.
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Handover:
    """Who held the post, who holds it from ``since`` on, by which act."""

    post: str
    title: str
    outgoing: str
    incoming: str
    since: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Order:
    """Hand ``post`` over to ``to`` by the act ``basis``, from ``since`` on (now when empty)."""

    post: PostId
    to: PersonId
    basis: str
    since: datetime | None = None


def plan(session: Session, order: Order, *, now: datetime) -> Handover:
    """Return what handing over would do. Raises ``NotInRegister``, ``HasLeft``, ``BadHandover``; changes nothing."""
    office = history.find(session, "post", order.post, now)
    if not isinstance(office, PostEntry):
        raise NotInRegister(f"no post `{order.post[:80]}` is in the register", hint="see `guosuo register list post`")
    incoming = person.get_serving(session, order.to)
    if incoming.suspended:
        raise BadHandover(f"`{order.to}` is suspended", hint="name somebody else, or end the suspension first")
    basis = order.basis.strip()
    if not basis or len(basis) > _LONGEST or not basis.isprintable():
        raise BadHandover("a handover needs the act that appoints", hint="name it: --basis 北辰政任〔2026〕1号")
    at = order.since or now
    _check_time(session, office, order.to, at, now)
    if office.holder == order.to:
        raise BadHandover(f"`{order.to}` holds the post `{order.post}` already", hint="there is nothing to hand over")
    return Handover(order.post, office.title, office.holder, order.to, at, basis)


def hand_over(session: Session, order: Order, *, actor: str, now: datetime) -> Handover:
    """Hand a post over, with its record. Raises as ``plan`` does, and then nothing is done."""
    change.lock(session)
    person.get_serving(session, order.to, hold=True)
    made = plan(session, order, now=now)
    appointment.fill(session, made.post, made.incoming, basis=made.basis, actor=actor, at=now, since=made.since)
    return made


def _check_time(session: Session, office: PostEntry, to: PersonId, at: datetime, now: datetime) -> None:
    if at > now:
        raise BadHandover(
            f"{to_rfc3339(at)} has not come yet", hint="hand over when it takes effect, or leave --at out"
        )
    held = appointment.current(session, office.id)
    if held is not None and at <= held.since:
        detail = (
            f"`{held.person}` holds the post `{office.id}` since {to_rfc3339(held.since)}, not before {to_rfc3339(at)}"
        )
        raise BadHandover(detail, hint="a handover comes after the one before it: give a later --at")
    if history.find(session, "post", office.id, at) is None:
        raise BadHandover(f"there was no post `{office.id}` at {to_rfc3339(at)}", hint="give a later --at")
    if history.find(session, "person", to, at) is None:
        raise BadHandover(f"`{to}` was not in the register at {to_rfc3339(at)}", hint="give a later --at")
