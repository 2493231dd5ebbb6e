"""What an auditor notes about a record: a signed record of its own; the one it speaks of stays as it is."""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from core import signed
from core.ledger import evidence, search
from core.ledger.entry import Event, JsonValue
from core.ledger.errors import UnknownRecord
from core.ledger.models import EvidenceRow
from core.signed import SignedAct

#: The act as it stands in the signed text; its digest is that of ``{"salt": ..., "text": ...}``.
ACT = "evidence.annotate"

LONGEST = 4_000

_ANNOTATED = "ledger.record.annotated"


def object_of(record: str) -> str:
    """Return the name of a record as an object."""
    return f"record:{record}"


@dataclass(frozen=True, slots=True)
class Note:
    """What is noted, and 32 random octets in hexadecimal that whoever signs it has drawn."""

    text: str
    salt: str

    def body(self) -> dict[str, JsonValue]:
        """Return what is kept beside the record, and is gone once it is erased."""
        return {"salt": self.salt, "text": self.text}


def digest_of(note: Note) -> str:
    """Return the digest that is signed. It stays when the note is erased: without the salt no guess can be tried."""
    return signed.digest(note.body())


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
