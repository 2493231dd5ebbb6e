"""What an auditor notes about a record: a signed record of its own; the one it speaks of stays as it is."""

import json
from datetime import datetime

from sqlmodel import Session, select

from core import signed
from core.ledger import evidence
from core.ledger.entry import Event, JsonValue
from core.ledger.errors import UnknownRecord
from core.ledger.models import EvidenceRow
from core.signed import SignedAct

#: The act as it stands in the signed text; its digest is that of ``{"text": ...}``.
ACT = "evidence.annotate"

LONGEST = 4_000

_ANNOTATED = "ledger.record.annotated"


def object_of(record: str) -> str:
    """Return the name of a record as an object."""
    return f"record:{record}"


def digest_of(text: str) -> str:
    """Return the digest that is signed."""
    return signed.digest({"text": text})


def annotate(session: Session, record: str, text: str, proof: SignedAct, *, serial: str, at: datetime) -> str:
    """Append a note on ``record`` and return its own identifier. Raises ``UnknownRecord``.

    The same signed text again appends nothing. What was noted may be personal: it is the erasable body.
    """
    found = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == record)).first()
    if found is None:
        raise UnknownRecord(f"no record has the identifier `{record[:40]}`", hint="see `guosuo evidence find`")
    known = select(EvidenceRow).where(EvidenceRow.object == object_of(record), EvidenceRow.type == _ANNOTATED)
    for row in session.exec(known):
        if json.loads(row.content)["details"]["act"] == proof.identifier:
            return row.identifier
    details: dict[str, JsonValue] = {
        "act": proof.identifier,
        "record": record,
        "serial": serial,
        "signed": proof.details(),
    }
    event = Event(_ANNOTATED, proof.statement.person, object_of(record), found.domain, details=details)
    return evidence.append(session, event, at=at, body={"text": text})
