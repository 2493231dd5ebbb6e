"""What happened to people and duties after the cut, done again from its record: who left stays gone, duties wait on."""

from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup.mirror import Record
from core.clock import from_rfc3339
from core.duty import events
from core.duty.models import Duty, DutyState
from core.registry.models import DomainMembership, Person, Post


def _text(record: Record, name: str) -> str:
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def _membership_ended(session: Session, record: Record) -> bool:
    row = session.get(DomainMembership, (record.object.removeprefix("person:"), record.domain))
    if row is not None:
        session.delete(row)
    return True


def _person_left(session: Session, record: Record) -> bool:
    person = session.get(Person, record.object.removeprefix("person:"))
    if person is None:
        return False
    person.left_at = from_rfc3339(_text(record, "since"))
    session.add(person)
    return True


def _raised(session: Session, record: Record) -> bool:
    identifier, post = _duty(record), _text(record, "post")
    if session.get(Post, post) is None:
        return False
    if session.get(Duty, identifier) is None:
        row = Duty(
            id=identifier,
            kind=_text(record, "kind"),
            object=_text(record, "about"),
            title="",
            post=post,
            domain=record.domain,
            raised_at=record.at,
        )
        _tell(row, record)
        session.add(row)
    return True


def _reminded(session: Session, record: Record) -> bool:
    row, post = session.get(Duty, _duty(record)), record.details.get("post")
    if row is None:
        return False
    _tell(row, record)
    # Records of before say no post: then it stayed the same.
    if isinstance(post, str) and session.get(Post, post) is not None:
        row.post = post
    row.state, row.acknowledged_by, row.acknowledged_at = DutyState.OPEN.value, "", None
    row.escalated_post, row.escalated_at = "", None
    return True


def _escalated(session: Session, record: Record) -> bool:
    row = session.get(Duty, _duty(record))
    if row is None:
        return False
    row.escalated_post, row.escalated_at = _text(record, "post"), record.at
    return True


def _acknowledged(session: Session, record: Record) -> bool:
    row = session.get(Duty, _duty(record))
    if row is None:
        return False
    if row.state != DutyState.SETTLED:
        row.state, row.acknowledged_by, row.acknowledged_at = DutyState.ACKNOWLEDGED.value, record.actor, record.at
    row.signature = record.identifier
    return True


def _settled(session: Session, record: Record) -> bool:
    row = session.get(Duty, _duty(record))
    if row is None:
        return False
    row.state, row.settled_by, row.settled_at = DutyState.SETTLED.value, record.actor, record.at
    return True


def _tell(row: Duty, record: Record) -> None:
    due = _text(record, "due")
    row.title, row.stage = _text(record, "title"), _text(record, "stage")
    row.due = from_rfc3339(due) if due else None


def _duty(record: Record) -> str:
    return record.object.removeprefix(events.object_of(""))


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "registry.membership.ended": _membership_ended,
    "registry.person.left": _person_left,
    events.RAISED: _raised,
    events.REMINDED: _reminded,
    events.ESCALATED: _escalated,
    events.ACKNOWLEDGED: _acknowledged,
    events.SETTLED: _settled,
}
