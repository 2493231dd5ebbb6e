"""Append to the evidence: inside the transaction of the change itself, so neither exists without the other."""

import secrets
from datetime import datetime

from sqlmodel import Session

from core.ledger.entry import Event, encode
from core.ledger.models import EvidenceRow


def append(session: Session, event: Event, *, at: datetime) -> str:
    """Insert ``event`` and return its identifier; the sequencer numbers it after the caller's commit.

    Raises ``Malformed`` when the record would be too large for an entry bundle.
    """
    identifier = secrets.token_hex(16)
    session.add(
        EvidenceRow(
            identifier=identifier,
            at=at,
            type=event.type,
            actor=event.actor,
            object=event.object,
            domain=event.domain,
            result=event.result,
            content=encode(event, identifier=identifier, at=at),
        )
    )
    session.flush()
    return identifier
