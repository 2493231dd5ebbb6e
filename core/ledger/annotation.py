"""A note about a record, as it is signed. Pure."""

from dataclasses import dataclass

from core import signed
from core.ledger.entry import JsonValue

#: The act as it stands in the signed text; its digest is that of ``{"salt": ..., "text": ...}``.
ACT = "evidence.annotate"

LONGEST = 4_000


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
