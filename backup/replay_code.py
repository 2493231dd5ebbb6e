"""One-time codes after the cut, done again from their record: what was used, locked or withdrawn opens nothing again.

Of a code that was made after the cut the record holds no secret: it is named, and another is made. What waited at the
desk is not rebuilt either; whoever had used a code for it is told to ask for another.
"""

from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup.mirror import Record
from pki.models import EnrolmentCode
from pki.onetime import CodeState


def _opened(session: Session, record: Record) -> bool:
    return _row(session, record) is not None


def _redeemed(session: Session, record: Record) -> bool:
    row = _row(session, record)
    if row is not None:
        row.state, row.ended_at = CodeState.USED.value, record.at
        row.digest, row.request = _text(record, "request"), _text(record, "desk")
        session.add(row)
    return True


def _refused(session: Session, record: Record) -> bool:
    row, tries = _row(session, record), record.details.get("tries")
    if row is not None and isinstance(tries, int):
        row.tries = max(row.tries, tries)
        if _text(record, "state") == CodeState.LOCKED and row.state == CodeState.OPEN:
            row.state, row.ended_at = CodeState.LOCKED.value, record.at
        session.add(row)
    return True


def _withdrawn(session: Session, record: Record) -> bool:
    row = _row(session, record)
    if row is not None and row.state == CodeState.OPEN:
        row.state, row.ended_at = CodeState.WITHDRAWN.value, record.at
        session.add(row)
    return True


def _row(session: Session, record: Record) -> EnrolmentCode | None:
    return session.get(EnrolmentCode, record.object.removeprefix("code:"))


def _text(record: Record, name: str) -> str:
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "pki.code.opened": _opened,
    "pki.code.redeemed": _redeemed,
    "pki.code.refused": _refused,
    "pki.code.withdrawn": _withdrawn,
}
