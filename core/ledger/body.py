"""Bodies: what is personal or classified about a record, kept beside it and erasable; the record holds a commitment.

The commitment is SHA-256 over a random salt of 32 octets followed by the body in canonical JSON (RFC 8785). As long as
the salt is there whoever is shown both can check them against the record, which is under the signed root. Once salt and
body are erased the commitment tells nothing: without the salt no guess can be tried. Personal Information Protection
Law (个人信息保护法) Art. 47 asks for erasure, and the evidence must stay whole: this gives both.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

import rfc8785
from sqlmodel import Session

from core.errors import Malformed
from core.ledger.entry import MAXIMUM_OCTETS, Event, JsonValue
from core.ledger.errors import BodyErased, NoBody
from core.ledger.models import EvidenceBody

SALT_OCTETS = 32

#: Somebody read the body of a record; which one is the event's object.
BODY_DISCLOSED = "ledger.body.disclosed"

#: The member of a record's details that holds the commitment.
MEMBER = "body"

Body = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A body with what checks it: ``content`` is its canonical JSON."""

    record: str
    salt: bytes
    content: bytes


def commitment(salt: bytes, content: bytes) -> str:
    """Return the commitment in hexadecimal."""
    return sha256(salt + content).hexdigest()


def attach(session: Session, event: Event, body: Body, *, record: str, salt: bytes) -> Event:
    """Keep ``body`` for the record with the id ``record`` and return the event with its commitment.

    Raises ``Malformed`` when the body cannot be written as canonical JSON, or is larger than a record may be.
    """
    content = _canonical(body)
    session.add(EvidenceBody(record=record, salt=salt, content=content))
    details: dict[str, JsonValue] = {**event.details, MEMBER: {"sha256": commitment(salt, content)}}
    return replace(event, details=details)


def is_committed(details: Mapping[str, JsonValue]) -> bool:
    """Say whether a record's details commit to a body."""
    said = details.get(MEMBER)
    return isinstance(said, Mapping) and set(said) == {"sha256"}


def disclose(session: Session, record: str) -> Disclosed:
    """Return the body of a record. Raises ``NoBody`` when it never had one, ``BodyErased`` when it is gone."""
    row = get(session, record)
    if row.erased_at is not None:
        raise BodyErased(
            f"the body of record `{record}` was erased by {row.erased_by} at {row.erased_at:%Y-%m-%d %H:%M}"
        )
    return Disclosed(record, row.salt, row.content)


def read(session: Session, record: str) -> dict[str, JsonValue]:
    """Return what the body says. Raises as ``disclose`` does."""
    said = json.loads(disclose(session, record).content)
    assert isinstance(said, dict)
    return said


def get(session: Session, record: str) -> EvidenceBody:
    """Return the row of a body, erased or not. Raises ``NoBody``."""
    row = session.get(EvidenceBody, record)
    if row is None:
        raise NoBody(f"record `{record}` has no body", hint="see `guosuo evidence find`")
    return row


def wipe(session: Session, row: EvidenceBody, *, by: str, at: datetime) -> None:
    """Take content and salt away; that there was a body, and who had it erased, stays."""
    row.salt = row.content = b""
    row.erased_by, row.erased_at = by, at
    session.add(row)
    session.flush()


def _canonical(body: Body) -> bytes:
    try:
        # Through JSON text: what is not plain JSON is refused here, in one place and with one error.
        content = rfc8785.dumps(json.loads(json.dumps(body, allow_nan=False)))
    except (rfc8785.CanonicalizationError, TypeError, ValueError) as error:
        raise Malformed(f"the body of a record cannot be written as canonical JSON: {error}") from error
    if len(content) > MAXIMUM_OCTETS:
        raise Malformed(f"the body of a record has {len(content)} octets, more than {MAXIMUM_OCTETS}")
    return content
