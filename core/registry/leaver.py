"""A person leaves (离岗): everything held is listed, ended or handed over in one transaction, and nothing is left.

GB/T 22239-2019 8.1.8.2: the access of those who leave is ended in time. ``plan`` says what ``leave`` will do, and
refuses what it would refuse: whoever confirmed the plan sees no other effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, select

from core.clock import to_rfc3339
from core.errors import Malformed
from core.identity import SITE, PersonId
from core.ledger import evidence
from core.ledger.entry import Event
from core.registry import appointment, change, history, person, role
from core.registry.errors import HasLeft, LastAdministrator, NoSuccessor, StillHeld, UnfitSuccessor
from core.registry.holding import Holders, Holding
from core.registry.models import Person


@dataclass(frozen=True, slots=True)
class Leaving:
    """``successor`` takes over every post that ``items`` (``post:ID`` or ``role:site/NAME`` to a person) does not name.

    ``basis`` is the act by which the person leaves, ``since`` when by that act (now when empty): from then on the
    successors answer for the posts; access ends now.
    """

    person: PersonId
    basis: str
    successor: PersonId | None = None
    items: Mapping[str, PersonId] = field(default_factory=dict)
    since: datetime | None = None


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One thing that is given up; ``successor`` is who holds it next, empty for what ends."""

    kind: str
    identifier: str
    title: str
    domain: str
    successor: str

    @property
    def name(self) -> str:
        """How an order names it: ``post:ID``."""
        return f"{self.kind}:{self.identifier}"


def plan(session: Session, holders: Holders, leaving: Leaving, *, at: datetime) -> list[Item]:
    """Return what leaving would give up, and to whom. Changes nothing; raises what ``leave`` would raise."""
    leaver = person.get(session, leaving.person)
    if leaver.left_at is not None:
        raise HasLeft(f"`{leaver.id}` left at {to_rfc3339(leaver.left_at)}", hint="there is nothing left to do")
    if not leaving.basis.strip():
        raise Malformed("leaving needs the act by which the person leaves", hint="name it with --basis")
    if leaving.since is not None and leaving.since > at:
        raise Malformed("leaving is entered when it happens, not before", hint="leave --at out, or run this on the day")
    held = holders.holdings(session, "person", leaving.person, at)
    for successor in sorted({*leaving.items.values(), *filter(None, [leaving.successor])}):
        _check_fit(session, leaving, successor)
    _check_administrators(session, leaving, held, at)
    _check_posts(leaving, held)
    _check_items(leaving, held)
    planned = sorted(_item(leaving, one) for one in held)
    if leaving.since is not None:
        _check_since(session, leaving, planned, leaving.since)
    return planned


def leave(session: Session, holders: Holders, leaving: Leaving, *, actor: str, at: datetime) -> list[Item]:
    """Let a person leave, in the caller's transaction; return what was given up. Raises, and then nothing is done.

    ``HasLeft``, ``NoSuccessor``, ``UnfitSuccessor``, ``LastAdministrator``, ``SeparationOfDuties``, ``StillHeld``.
    """
    lock(session, leaving)
    planned = plan(session, holders, leaving, at=at)
    # 1. What somebody must hold at every moment is handed over before it is let go.
    handed = [one for one in planned if one.kind == "post"]
    for one in handed:
        _hand_over(session, leaving, one, actor=actor, at=at)
    taken_over = [one for one in planned if one.kind == "role" and one.successor]
    for one in taken_over:
        role.appoint(session, person=PersonId(one.successor), role=one.title, giver=actor, at=at)
    # 2. Everything else ends, in every package.
    ended = holders.relinquish(session, leaving.person, successor=leaving.successor, actor=actor, at=at)
    # 3. The person is gone from here on, and is given nothing any more.
    gone = person.get(session, leaving.person)
    gone.left_at = leaving.since or at
    session.add(gone)
    session.flush()
    _record(session, leaving, len(planned), actor=actor, at=at)
    _check_nothing_left(session, holders, leaving, at)
    return _effect(leaving, planned, ended)


def _hand_over(session: Session, leaving: Leaving, post: Item, *, actor: str, at: datetime) -> None:
    appointment.fill(
        session, post.identifier, post.successor, basis=leaving.basis, actor=actor, at=at, since=leaving.since
    )


def _check_nothing_left(session: Session, holders: Holders, leaving: Leaving, at: datetime) -> None:
    rest = [f"{one.kind} `{one.identifier}`" for one in holders.holdings(session, "person", leaving.person, at)]
    if rest:
        raise StillHeld(f"`{leaving.person}` would still hold {', '.join(rest)}", hint="nothing was done")


def _effect(leaving: Leaving, planned: Sequence[Item], ended: Sequence[Holding]) -> list[Item]:
    """Return what was done: what the packages ended, and what passed on with the posts."""
    passed = [one for one in planned if not _ends(one, ended)]
    return sorted([*passed, *(_item(leaving, one) for one in ended)])


def _ends(item: Item, ended: Sequence[Holding]) -> bool:
    return any((one.kind, one.identifier) == (item.kind, item.identifier) for one in ended)


def lock(session: Session, leaving: Leaving) -> None:
    """Keep everything that is looked at as it is until the end: posts first, as whoever fills a post does.

    Whoever waited here looks at a time taken afterwards.
    """
    change.lock(session)
    people = {leaving.person, *leaving.items.values(), *filter(None, [leaving.successor])}
    # Read anew: what this session saw of them before may be over.
    rows = select(Person).where(col(Person.id).in_(people)).order_by(Person.id).with_for_update()
    session.exec(rows.execution_options(populate_existing=True)).all()
    # Of two administrators who leave at once the second must see that the first has gone.
    role.hold_offices(session)


def _check_fit(session: Session, leaving: Leaving, successor: PersonId) -> None:
    if successor == leaving.person:
        raise UnfitSuccessor(f"`{successor}` cannot follow themselves", hint="name somebody else")
    found = person.get(session, successor)
    if found.left_at is not None:
        raise UnfitSuccessor(f"`{successor}` has left", hint="name somebody who is there")
    if found.suspended:
        raise UnfitSuccessor(f"`{successor}` is suspended", hint="name somebody else, or end the suspension first")


def _check_since(session: Session, leaving: Leaving, planned: Sequence[Item], since: datetime) -> None:
    """Raise ``Malformed`` when the leaver, a post or whoever follows in it was not yet there at that time."""
    hint = "give the time of the act, or leave --at out"
    for who in sorted({leaving.person, *(PersonId(one.successor) for one in planned if one.kind == "post")}):
        if history.find(session, "person", who, since) is None:
            raise Malformed(f"`{who}` was not in the register at {to_rfc3339(since)}", hint=hint)
    for one in planned:
        held = appointment.current(session, one.identifier) if one.kind == "post" else None
        if held is not None and since <= held.since:
            detail = f"`{held.person}` holds the post `{one.identifier}` since {to_rfc3339(held.since)}, not before"
            raise Malformed(f"{detail} {to_rfc3339(since)}", hint=hint)


def _check_administrators(session: Session, leaving: Leaving, held: Sequence[Holding], at: datetime) -> None:
    for office in (
        one for one in held if one.kind == "role" and one.domain == SITE and one.title in role.ADMINISTRATORS
    ):
        others = {who for who, domain, name in role.held(session, at) if (domain, name) == (SITE, office.title)}
        named = leaving.items.get(f"role:{office.identifier}")
        if named is not None:
            theirs = [name for domain, name in role.roles(session, named, at) if domain == SITE]
            role.check_separation(theirs, office.title, named)
        elif others <= {leaving.person}:
            raise LastAdministrator(
                f"`{leaving.person}` is the only {office.title}, and the site would be without one",
                hint=f"appoint another first, or name who takes it over: --successor role:{office.identifier}=PERSON",
            )


def _check_posts(leaving: Leaving, held: Sequence[Holding]) -> None:
    if leaving.successor is not None:
        return
    without = [one.identifier for one in held if one.kind == "post" and f"post:{one.identifier}" not in leaving.items]
    if without:
        raise NoSuccessor(
            f"nobody would hold {', '.join(f'`{post}`' for post in without)}: nothing is without its officers",
            hint="name who follows: --successor PERSON, or --successor post:ID=PERSON for each",
        )


def _check_items(leaving: Leaving, held: Sequence[Holding]) -> None:
    possible = {f"{one.kind}:{one.identifier}" for one in held if _is_handed_over(one)}
    for name in leaving.items:
        if name not in possible:
            choice = ", ".join(sorted(possible)) or "nothing"
            raise Malformed(f"`{name}` is not handed over by `{leaving.person}`", hint=f"what is: {choice}")


def _is_handed_over(one: Holding) -> bool:
    return one.kind == "post" or (one.kind == "role" and one.domain == SITE and one.title in role.ADMINISTRATORS)


def _item(leaving: Leaving, one: Holding) -> Item:
    named = leaving.items.get(f"{one.kind}:{one.identifier}") or leaving.items.get(f"post:{one.follows}")
    by_default = leaving.successor if one.kind == "post" or one.follows else None
    return Item(one.kind, one.identifier, one.title, one.domain, named or by_default or "")


def _record(session: Session, leaving: Leaving, count: int, *, actor: str, at: datetime) -> None:
    details = {
        "basis": leaving.basis,
        # To the microsecond, as the posts that are handed over at the same moment: a restore makes the same of it.
        "since": (leaving.since or at).isoformat(),
        "successor": leaving.successor or "",
        "items": {name: str(who) for name, who in leaving.items.items()},
        "given_up": count,
    }
    event = Event("registry.person.left", actor, f"person:{leaving.person}", details=details)
    evidence.append(session, event, at=at)
