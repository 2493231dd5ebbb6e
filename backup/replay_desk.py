"""What was decided at the registration desk after the cut, done again from its record: no is not forgotten, nor is yes.

A request itself does not stand in the record. One that was corrected after the cut waits for its correction once more.
"""

from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup import replay_status
from backup.mirror import Record
from pki.deskstate import State
from pki.models import DeskRequest


def _filed(session: Session, record: Record) -> bool:
    row, revision = _row(session, record), replay_status.number(record, "revision")
    if row is None:
        return False
    if revision <= row.revision:
        return True
    row.revision, row.approved_by = revision, ""
    if replay_status.text(record, "request") == row.digest:
        row.state, row.comment = State.SUBMITTED.value, ""
    else:
        row.state, row.comment = State.RETURNED.value, "its correction was lost with the store: correct it once more"
    session.add(row)
    return True


def _decided(session: Session, record: Record) -> bool:
    row, state = _row(session, record), State(replay_status.text(record, "state"))
    if row is None:
        return False
    # A yes to a correction that is lost is no yes to what is here.
    lost = replay_status.text(record, "request") != row.digest and state not in (State.RETURNED, State.REJECTED)
    if replay_status.number(record, "revision") < row.revision or lost:
        return True
    row.state, row.comment = state.value, replay_status.text(record, "comment")
    # Older records do not say with which certificate somebody approved: that does not count.
    told = record.details.get("approved_by", [])
    if not isinstance(told, list):
        raise TypeError("`approved_by` is no list")
    row.approved_by = " ".join(str(one) for one in told)
    session.add(row)
    return True


def _issued(session: Session, record: Record) -> bool:
    row = _row(session, record)
    if row is None:
        return False
    row.state, row.serial = State.ISSUED.value, replay_status.text(record, "serial")
    session.add(row)
    return True


def _row(session: Session, record: Record) -> DeskRequest | None:
    return session.get(DeskRequest, record.object.removeprefix("request:"))


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "pki.desk.decided": _decided,
    "pki.desk.filed": _filed,
    "pki.desk.issued": _issued,
}
