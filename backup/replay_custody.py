"""What was done about the evidence itself, done again: purges, holds, erasures. See ``replay.py``."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlmodel import Session, select

from backup.mirror import Record
from core.clock import from_rfc3339
from core.ledger import body, purge
from core.ledger.models import EvidenceBody, EvidenceHold, EvidencePurge, EvidenceRow
from core.ledger.stub import parse_ranges


def _purged(session: Session, record: Record) -> bool:
    """A purge that was decided is carried out, however far it had come."""
    ranges = parse_ranges(record.details["numbers"])
    if ranges and ranges[-1][1] >= record.sequence:
        raise ValueError("it names records that come after it")
    purge.enter(session, record.identifier, ranges, at=record.at)
    return True


def _purge_completed(session: Session, record: Record) -> bool:
    # The rows became stubs when the store was held against the mirror; the bundles are looked at once more.
    row = session.get(EvidencePurge, str(record.details["purge"]))
    if row is not None and row.state != purge.State.CLOSED:
        row.outcome, row.state = record.identifier, purge.State.RECORDED.value
        session.add(row)
    return True


def _hold_placed(session: Session, record: Record) -> bool:
    if session.get(EvidenceHold, record.identifier) is None:
        kind, value = str(record.details["kind"]), str(record.details["value"])
        session.add(
            EvidenceHold(
                id=record.identifier,
                kind=kind,
                value=value,
                until=_moment(record, "until"),
                placed_by=record.actor,
                placed_at=record.at,
            )
        )
    return True


def _hold_released(session: Session, record: Record) -> bool:
    row = session.get(EvidenceHold, str(record.details["hold"]))
    if row is None:
        return False
    row.released_by, row.released_at = record.actor, record.at
    session.add(row)
    return True


def _body_erased(session: Session, record: Record) -> bool:
    erased = str(record.details["record"])
    row = session.get(EvidenceBody, erased)
    if row is None and session.exec(select(EvidenceRow.row).where(EvidenceRow.identifier == erased)).first():
        # Made and erased after the cut: that it was erased, and is not lost, stays known.
        row = EvidenceBody(record=erased, salt=b"", content=b"")
    if row is not None and row.erased_at is None:
        body.wipe(session, row, by=record.actor, at=record.at)
    return True


def _moment(record: Record, name: str) -> datetime:
    return from_rfc3339(str(record.details[name]))


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "ledger.body.erased": _body_erased,
    "ledger.hold.placed": _hold_placed,
    "ledger.hold.released": _hold_released,
    "ledger.purge.completed": _purge_completed,
    "ledger.records.purged": _purged,
}
