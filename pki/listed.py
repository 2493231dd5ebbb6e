"""Which publication was the first to tell the newest change of a certificate's status."""

from sqlmodel import Session, col, select

from core.identity import Serial
from pki.models import CrlPublication, RevocationChange


def number(session: Session, serial: Serial) -> int | None:
    """Return the number of the lists that tell the newest change of ``serial``; nothing while no list does.

    Also nothing for a change so old that no list needs it apart from the others.
    """
    newest = select(RevocationChange).where(RevocationChange.serial == serial).order_by(col(RevocationChange.id).desc())
    change = session.exec(newest.limit(1)).first()
    if change is None or change.number is None:
        return None
    publication = session.get(CrlPublication, (change.issuer, change.number))
    return change.number if publication is not None and publication.published_at is not None else None
