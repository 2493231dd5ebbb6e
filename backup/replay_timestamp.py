"""Time stamps, done again from their records: no serial number is forgotten, and times never go back behind them."""

from collections.abc import Callable, Mapping

from sqlmodel import Session

from backup.mirror import Record
from core.clock import from_rfc3339
from pki.tsa.models import StampState, TimeStamp


def _text(record: Record, name: str) -> str:
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def _serial(record: Record) -> str:
    return record.object.removeprefix("timestamp:")


def _intended(session: Session, record: Record) -> bool:
    if session.get(TimeStamp, _serial(record)) is None:
        session.add(
            TimeStamp(
                serial=_serial(record),
                authority=_text(record, "authority"),
                at=from_rfc3339(_text(record, "at")),
                policy=_text(record, "policy"),
                algorithm=_text(record, "algorithm"),
                imprint=_text(record, "imprint"),
                attributes_sha256=_text(record, "attributes_sha256"),
            )
        )
    return True


def _granted(session: Session, record: Record) -> bool:
    stamp = session.get(TimeStamp, _serial(record))
    if stamp is None:
        return False
    stamp.state, stamp.token_sha256 = StampState.GRANTED.value, _text(record, "token_sha256")
    session.add(stamp)
    return True


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "pki.timestamp.granted": _granted,
    "pki.timestamp.intended": _intended,
}
