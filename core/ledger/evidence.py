"""Append to the evidence: inside the transaction of the change itself, so neither exists without the other."""

import secrets
from datetime import datetime

from sqlmodel import Session

from core.ledger import body as bodies
from core.ledger.body import Body
from core.ledger.entry import Event, encode
from core.ledger.models import EvidenceRow


def append(session: Session, event: Event, *, at: datetime, body: Body | None = None) -> str:
    """Insert ``event`` and return its identifier; the sequencer numbers it after the caller's commit.

    ``body`` is what is personal or classified about it: kept beside the record and erasable, the record itself holds
    only a salted commitment (``body.py``). Raises ``Malformed`` when either is too large for an entry bundle.
    """
    identifier = secrets.token_hex(16)
    if body is not None:
        event = bodies.attach(session, event, body, record=identifier, salt=secrets.token_bytes(bodies.SALT_OCTETS))
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
