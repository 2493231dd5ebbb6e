"""The act ``register.person.leave``: one of the three administrators leaves, which takes two people.

Body: ``person``, ``basis``, and as far as needed ``successor``, ``items`` (``post:ID`` or ``role:site/NAME`` to a
person) and ``since`` (RFC 3339). Nobody takes part in their own leaving, nor decides on what comes to them by it.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.clock import parse_given
from core.errors import Malformed
from core.identity import SITE, PersonId
from core.registry import leaver, role
from core.registry.holding import Holders
from core.registry.leaver import Item, Leaving
from core.signed import Json

NAME = "register.person.leave"

_LONGEST = {"person": 80, "basis": 200, "successor": 80, "since": 40}


def act(holders: Holders) -> Act:
    """Return the act over every package's holdings."""

    def consequences(session: Session, body: Body, at: datetime) -> list[str]:
        asked = parse(body)
        planned = leaver.plan(session, holders, asked, at=at)
        return [f"`{asked.person}` leaves and can do nothing here any more", *map(_said, planned)]

    def carry_out(
        session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> Mapping[str, Json]:
        asked = parse(body)
        done = leaver.leave(session, holders, asked, actor=proposer, at=at)
        return {"person": asked.person, "given_up": len(done), "agreed_by": approver}

    return Act(name=NAME, concern=_concern, consequences=consequences, carry_out=carry_out)


def needs_two(session: Session, person: PersonId, at: datetime) -> bool:
    """Whether a person holds one of the three administrators' offices."""
    return any(domain == SITE and name in role.ADMINISTRATORS for domain, name in role.roles(session, person, at))


def parse(body: Body) -> Leaving:
    """Read an order to leave. Raises ``Malformed``."""
    if unknown := sorted(set(body) - {*_LONGEST, "items"}):
        raise Malformed(f"the body names `{unknown[0][:40]}`, which leaving does not know")
    texts = {name: _text(body, name, most) for name, most in _LONGEST.items()}
    items = body.get("items", {})
    if not isinstance(items, Mapping) or len(items) > 200:
        raise Malformed("`items` names a successor for each post")
    return Leaving(
        person=PersonId(texts["person"]),
        basis=texts["basis"],
        successor=PersonId(texts["successor"]) if texts["successor"] else None,
        items={name: PersonId(_text(items, name, 80)) for name in items},
        since=_moment(texts["since"]) if texts["since"] else None,
    )


def _concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    asked = parse(body)
    successors = frozenset({*asked.items.values(), *filter(None, [asked.successor])})
    return Concern(f"person:{asked.person}", SITE, excluded=successors, barred=frozenset({asked.person}))


def _said(one: Item) -> str:
    what = f"{one.kind} {one.identifier} ({one.title})"
    return f"{what} passes to `{one.successor}`" if one.successor else f"{what} ends"


def _text(body: Mapping[str, Json], name: str, most: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise Malformed(f"`{name[:40]}` is a text of at most {most} characters")
    return value


def _moment(text: str) -> datetime:
    try:
        return parse_given(text)
    except ValueError as error:
        raise Malformed(f"`since`: `{text}` is not a time with an offset (RFC 3339)") from error
