"""Records by their numbers, as the store has them."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from core.ledger.errors import InconsistentLog
from core.ledger.merkle import leaf_hash
from core.ledger.models import EvidenceRow

_COLUMNS = select(EvidenceRow.sequence, EvidenceRow.type, EvidenceRow.content, EvidenceRow.leaf)


@dataclass(frozen=True, slots=True)
class Numbered:
    """One record; ``leaf`` is its leaf hash, which a purged one keeps (``stub.py``)."""

    type: str
    content: bytes
    leaf: bytes


def read(session: Session, start: int, count: int) -> list[Numbered]:
    """Return up to ``count`` records from number ``start`` on. Raises ``InconsistentLog`` where one is missing."""
    wanted = _COLUMNS.where(col(EvidenceRow.sequence) >= start).order_by(col(EvidenceRow.sequence)).limit(count)
    found = []
    for number, (sequence, kind, content, leaf) in enumerate(session.exec(wanted), start):
        if sequence != number:
            raise InconsistentLog(f"record {number} is missing in the store")
        # Whether the leaf of a purged record is the right one, the signed root says.
        found.append(Numbered(kind, content, bytes.fromhex(leaf) if leaf else leaf_hash(content)))
    return found
