"""Wait until a record is under a published checkpoint: what may be answered only when its evidence cannot be lost."""

import time

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.database import Database
from core.ledger.errors import NotPublished, UnknownRecord
from core.ledger.models import EvidenceRow, LedgerCheckpoint, LedgerWish

_POLL = 0.01


def published_size(session: Session) -> int:
    """Return how many records are under the newest published checkpoint."""
    # From the largest down: the first or one of the first is it, however many there are.
    sizes = select(LedgerCheckpoint.size).where(col(LedgerCheckpoint.published_at).is_not(None))
    return session.exec(sizes.order_by(col(LedgerCheckpoint.size).desc()).limit(1)).first() or 0


def await_publication(database: Database, identifier: str, *, timeout: float) -> int:
    """Wait until the record ``identifier``, committed before, is signed for and in the mirror; return its number.

    The sequencer is told that somebody waits. Raises ``NotPublished`` after ``timeout`` seconds, ``UnknownRecord`` when
    the store has no such record.
    """
    end = time.monotonic() + timeout
    wished = False
    while True:
        with database.read() as session:
            sequence = find_published(session, identifier)
            if sequence is not None:
                return sequence
        if not wished:
            _wish(database, identifier)
            wished = True
        if time.monotonic() >= end:
            raise NotPublished(
                f"record `{identifier}` is not under a signed checkpoint after {timeout:g} seconds",
                hint="see `guosuo doctor`: the sequencer, the signer or the mirror does not work",
            )
        time.sleep(_POLL)


def _wish(database: Database, identifier: str) -> None:
    try:
        with database.write() as session:
            if session.get(LedgerWish, identifier) is None:
                session.add(LedgerWish(record=identifier))
        # A crash here leaves a wish that nobody waits for any more: the sequencer grants it like any other.
    except IntegrityError:
        # Somebody else waits for the same record, and said so at the same moment.
        return


def find_published(session: Session, identifier: str) -> int | None:
    """Return the number of a record that is signed for and in the mirror, or nothing. Raises ``UnknownRecord``."""
    sequence = _sequence(session, identifier)
    return sequence if sequence is not None and sequence < published_size(session) else None


def _sequence(session: Session, identifier: str) -> int | None:
    found = session.exec(select(EvidenceRow.sequence).where(EvidenceRow.identifier == identifier)).all()
    if not found:
        raise UnknownRecord(f"evidence holds no record `{identifier}`")
    return found[0]
