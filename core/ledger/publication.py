"""Wait until a record is under a published checkpoint: what may be answered only when its evidence cannot be lost."""

import time

from sqlmodel import Session, col, func, select

from core.database import Database
from core.ledger.errors import NotPublished, UnknownRecord
from core.ledger.models import EvidenceRow, LedgerCheckpoint

_POLL = 0.01


def published_size(session: Session) -> int:
    """Return how many records are under the newest published checkpoint."""
    published = col(LedgerCheckpoint.published_at).is_not(None)
    return session.exec(select(func.coalesce(func.max(LedgerCheckpoint.size), 0)).where(published)).one()


def await_publication(database: Database, identifier: str, *, timeout: float) -> int:
    """Wait until the record ``identifier``, committed before, is signed for and in the mirror; return its number.

    Raises ``NotPublished`` after ``timeout`` seconds, ``UnknownRecord`` when the store has no such record.
    """
    end = time.monotonic() + timeout
    while True:
        with database.read() as session:
            sequence = find_published(session, identifier)
            if sequence is not None:
                return sequence
        if time.monotonic() >= end:
            raise NotPublished(
                f"record `{identifier}` is not under a signed checkpoint after {timeout:g} seconds",
                hint="see `guosuo doctor`: the sequencer, the signer or the mirror does not work",
            )
        time.sleep(_POLL)


def find_published(session: Session, identifier: str) -> int | None:
    """Return the number of a record that is signed for and in the mirror, or nothing. Raises ``UnknownRecord``."""
    sequence = _sequence(session, identifier)
    return sequence if sequence is not None and sequence < published_size(session) else None


def _sequence(session: Session, identifier: str) -> int | None:
    found = session.exec(select(EvidenceRow.sequence).where(EvidenceRow.identifier == identifier)).all()
    if not found:
        raise UnknownRecord(f"evidence holds no record `{identifier}`")
    return found[0]
