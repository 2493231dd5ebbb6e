"""Legal holds: what a hold names is neither purged nor erased while it lasts, with a reason and an end.

The reason is free text about people, so it is the body of the hold's record and stands nowhere else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, or_, select

from core.clock import to_rfc3339
from core.errors import Conflict, Malformed, NotFound
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.models import PURGE_DECIDED, EvidenceHold, EvidencePurge

PLACED, RELEASED = "ledger.hold.placed", "ledger.hold.released"

_RECORDS = re.compile(r"(0|[1-9][0-9]{0,14})(-(0|[1-9][0-9]{0,14}))?", re.ASCII)


class Kind(StrEnum):
    """What a hold names: a thing or person of the records, a domain, or records by their numbers."""

    OBJECT = "object"
    DOMAIN = "domain"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a hold is held against: who and what a record names, its domain and its number."""

    number: int
    actor: str
    object: str
    domain: str
    serials: frozenset[str] = frozenset()
    #: What its details name, as ``kind:value`` (``reference.py``).
    named: frozenset[str] = frozenset()


def place(
    session: Session, *, kind: Kind, value: str, reason: str, until: datetime, actor: str, at: datetime
) -> EvidenceHold:
    """Place a hold and record it. Raises ``Malformed`` for a value of another form, no reason, an end in the past."""
    _check(kind, value)
    if not reason.strip() or len(reason) > 2_000:
        raise Malformed("a hold needs a reason of at most 2,000 characters")
    if until <= at:
        raise Malformed("a hold ends in the future", hint="give a later --until")
    # A purge that takes rows at this moment is waited for; it looks at the holds again before it takes the next.
    session.exec(select(EvidencePurge.id).where(EvidencePurge.state == PURGE_DECIDED).with_for_update()).all()
    details = {"kind": kind.value, "value": value, "until": to_rfc3339(until)}
    event = Event(PLACED, actor, f"hold:{kind.value}:{value}"[:200], details=details)
    record = evidence.append(session, event, at=at, body={"reason": reason})
    row = EvidenceHold(id=record, kind=kind.value, value=value, until=until, placed_by=actor, placed_at=at)
    session.add(row)
    session.flush()
    return row


def release(session: Session, identifier: str, *, actor: str, at: datetime) -> EvidenceHold:
    """Release a hold before its end and record it. Raises ``NotFound``, ``Conflict`` when it is over already."""
    row = session.get(EvidenceHold, identifier, with_for_update=True)
    if row is None:
        raise NotFound(f"there is no hold `{identifier}`", hint="see `guosuo evidence hold list`")
    if row.released_at is not None or row.until <= at:
        raise Conflict(f"the hold `{identifier}` is over already")
    row.released_at, row.released_by = at, actor
    session.add(row)
    details = {"hold": row.id, "kind": row.kind, "value": row.value}
    evidence.append(session, Event(RELEASED, actor, f"hold:{row.kind}:{row.value}"[:200], details=details), at=at)
    return row


def active(session: Session, at: datetime) -> Sequence[EvidenceHold]:
    """Return every hold that lasts at ``at``, the oldest first."""
    lasting = select(EvidenceHold).where(
        EvidenceHold.until > at, or_(col(EvidenceHold.released_at).is_(None), col(EvidenceHold.released_at) > at)
    )
    return session.exec(lasting.order_by(col(EvidenceHold.placed_at))).all()


def holding(holds: Iterable[EvidenceHold], subject: Subject) -> EvidenceHold | None:
    """Return the first of ``holds`` that names ``subject``, if one does."""
    return next((hold for hold in holds if _names(hold, subject)), None)


def _names(hold: EvidenceHold, subject: Subject) -> bool:
    if hold.kind == Kind.DOMAIN:
        return subject.domain == hold.value
    if hold.kind == Kind.RECORDS:
        first, last = _numbers(hold.value)
        return first <= subject.number <= last
    kind, _, rest = hold.value.partition(":")
    if kind == "certificate" and rest in subject.serials:
        return True
    if hold.value in (subject.object, subject.actor) or (kind == "person" and subject.actor == rest):
        return True
    # Without its kind a name is that of whatever has it: a hold keeps too much rather than too little.
    return hold.value in subject.named or (not rest and any(one.endswith(f":{hold.value}") for one in subject.named))


def _check(kind: Kind, value: str) -> None:
    if not value or len(value) > 160 or not value.isprintable():
        raise Malformed("a hold names something of 1 to 160 printable characters")
    if kind is Kind.RECORDS:
        first, last = _numbers(value)
        if last < first:
            raise Malformed(f"`{value}` are no record numbers: the last is before the first")


def _numbers(value: str) -> tuple[int, int]:
    found = _RECORDS.fullmatch(value)
    if found is None:
        raise Malformed(f"`{value}` are no record numbers", hint="write one number, or FIRST-LAST")
    return int(found[1]), int(found[3] or found[1])


def as_details(row: EvidenceHold) -> Mapping[str, str]:
    """Return what a hold says of itself, without its reason."""
    return {"id": row.id, "kind": row.kind, "value": row.value, "until": to_rfc3339(row.until)}
