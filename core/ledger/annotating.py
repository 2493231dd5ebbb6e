"""What an auditor notes about a record: a signed record of its own; the one it speaks of stays as it is."""

import json
from datetime import datetime

from sqlmodel import Session, select

from core.ledger import evidence, search
from core.ledger.annotation import Note, object_of
from core.ledger.entry import Event, JsonValue
from core.ledger.errors import UnknownRecord
from core.ledger.models import EvidenceRow
from core.signed import SignedAct

_ANNOTATED = "ledger.record.annotated"


def annotate(session: Session, record: str, note: Note, proof: SignedAct, *, serial: str, at: datetime) -> str:
    """Append a note on ``record`` and return its own identifier. Raises ``UnknownRecord``.

    The same signed text again appends nothing. What was noted may be personal: it is the erasable body.
    """
    found = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == record)).first()
    if found is None:
        raise UnknownRecord(f"no record has the identifier `{record[:40]}`", hint="see `guosuo evidence find`")
    for row in search.about(session, object_of(record), type_=_ANNOTATED):
        if json.loads(row.content)["details"]["act"] == proof.identifier:
            return row.identifier
    details: dict[str, JsonValue] = {
        "act": proof.identifier,
        "record": record,
        "serial": serial,
        "signed": proof.details(),
    }
    event = Event(_ANNOTATED, proof.statement.person, object_of(record), found.domain, details=details)
    return evidence.append(session, event, at=at, body=note.body())
