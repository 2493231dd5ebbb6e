"""Issued certificates, found by whom they stand for and what they are: a part at a time, in the order of their time."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, and_, col, or_, select

from core.errors import NotFound
from core.identity import Serial
from core.registry.credential import Credential


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is empty holds for all. ``before``: only what ends before."""

    holder: str = ""
    domain: str = ""
    profile: str = ""
    state: str = ""
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Some of what was found, oldest first, and the serial number after which the rest begins (empty: no rest)."""

    rows: list[Credential]
    rest: str


def find(session: Session, wanted: Wanted, *, after: str, limit: int) -> Part:
    """Return at most ``limit`` of what is wanted, from behind the serial number ``after``. Raises ``NotFound``.

    However many there are, this takes the same time: an index has them in this order.
    """
    statement = select(Credential).order_by(col(Credential.not_before), col(Credential.serial)).limit(limit + 1)
    for column, value in (
        (Credential.holder, wanted.holder),
        (Credential.domain, wanted.domain),
        (Credential.profile, wanted.profile),
        (Credential.state, wanted.state),
    ):
        if value:
            statement = statement.where(column == value)
    if wanted.before is not None:
        statement = statement.where(col(Credential.not_after) < wanted.before)
    if after:
        last = _last(session, Serial(after))
        later = and_(col(Credential.not_before) == last.not_before, col(Credential.serial) > last.serial)
        # The first condition says nothing new: with it the index is entered at the place itself.
        statement = statement.where(
            col(Credential.not_before) >= last.not_before, or_(col(Credential.not_before) > last.not_before, later)
        )
    rows = list(session.exec(statement))
    return Part(rows[:limit], rows[limit - 1].serial if len(rows) > limit else "")


def _last(session: Session, serial: Serial) -> Credential:
    found = session.get(Credential, serial)
    if found is None:
        raise NotFound(f"no certificate has the serial number `{serial}`", hint="begin without `after`")
    return found
