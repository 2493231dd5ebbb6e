"""The receipt of an act on a certificate: its record, the record's place in the evidence, the lists that tell it."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from core.errors import NotFound
from core.identity import Serial
from core.ledger.models import EvidenceRow
from core.ledger.publication import published_size
from core.registry.credential import Credential
from pki import listed


@dataclass(frozen=True, slots=True)
class Receipt:
    """``sequence`` is the record's place in the evidence (from 0), empty until it is numbered.

    ``published``: it is under a signed checkpoint, which covers ``size`` records. ``crl_number`` is that of the lists
    that tell the act, empty until they are out.
    """

    record: str
    type: str
    actor: str
    at: datetime
    sequence: int | None
    published: bool
    size: int
    crl_number: int | None

    @property
    def complete(self) -> bool:
        """Say whether nothing is waited for any more."""
        return self.published and self.crl_number is not None


def of(session: Session, found: Credential, record: str) -> Receipt:
    """Return the receipt for a record about ``found``. Raises ``NotFound``, also for a record about something else."""
    row = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == record)).first()
    if row is None or row.object != f"certificate:{found.serial}":
        raise NotFound(f"evidence holds no record `{record}` about this certificate")
    size = published_size(session)
    return Receipt(
        record=row.identifier,
        type=row.type,
        actor=row.actor,
        at=row.at,
        sequence=row.sequence,
        published=row.sequence is not None and row.sequence < size,
        size=size,
        crl_number=listed.number(session, Serial(found.serial)),
    )
