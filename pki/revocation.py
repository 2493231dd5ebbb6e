"""Revoke: row, credential and record in one transaction, so that a revocation reaches every decision at once."""

from datetime import datetime

from sqlmodel import Session, select

from core.identity import Serial
from core.ledger import evidence
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from pki import der, events, reason
from pki.errors import AlreadyRevoked
from pki.models import IssuanceIntent, Revocation

#: OBJECT IDENTIFIER id-ce-cRLReasons, 2.5.29.21 (RFC 5280, 5.3.1).
_REASON_CODE = bytes.fromhex("0603551d15")


def revoke(session: Session, serial: Serial, *, reason: str, actor: str, at: datetime) -> str:
    """Revoke and return the record's identifier. Raises ``NotFound``, ``AlreadyRevoked``, ``UnknownReason``."""
    # Locked, or two at once would both find it good (SQLite: by the write lock).
    session.get(Credential, serial, with_for_update=True)
    found = credential.get(session, serial)
    if found.state == CredentialState.REVOKED:
        raise AlreadyRevoked(f"the certificate `{serial}` was revoked before", hint="there is nothing left to do")
    enter(session, serial, found.issuer, reason=reason, at=at)
    found.state = CredentialState.REVOKED.value
    found.revoked_at = at
    found.revocation_reason = reason
    session.add(found)
    event = events.revoked(serial, found.issuer, reason, holder=found.holder, domain=found.domain, actor=actor)
    return evidence.append(session, event, at=at)


def enter(session: Session, serial: Serial, issuer: str, *, reason: str, at: datetime) -> None:
    """Enter a serial number into the revocation list of its issuer."""
    entry = encode_entry(serial, at, reason)
    session.add(Revocation(serial=serial, issuer=issuer, at=at, reason=reason, entry=entry))
    session.flush()


def encode_entry(serial: Serial, at: datetime, word: str) -> bytes:
    """Return a revokedCertificates entry (RFC 5280, 5.1.2.6); ``unspecified`` carries no extension."""
    code = reason.code(word)
    parts = [der.integer(int(serial, 16)), der.time(at)]
    if code:
        value = der.integer(code, der.ENUMERATED)
        parts.append(der.encode(der.SEQUENCE, der.extension(_REASON_CODE, value)))
    return der.encode(der.SEQUENCE, *parts)


def resume(session: Session, *, before: datetime, at: datetime) -> int:
    """Give up each intention older than ``before`` without outcome, revoke its serial number; return how many.

    Such a serial number may have been signed just before a crash: nobody was handed the certificate, nobody may use it.
    """
    statement = select(IssuanceIntent).where(IssuanceIntent.state == "open", IssuanceIntent.at < before)
    open_intents = session.exec(statement.with_for_update()).all()
    for intent in open_intents:
        intent.state = "abandoned"
        session.add(intent)
        enter(session, Serial(intent.serial), intent.issuer, reason="cessation-of-operation", at=at)
        evidence.append(session, events.abandoned(intent), at=at)
    return len(open_intents)
