"""Hold, release, revoke: state, list entry and record in one transaction, so that each reaches every decision at once.

What this costs does not depend on how many are revoked: an entry is encoded here, once; ``crl.py`` publishes its shard.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, select

from core.identity import Serial
from core.ledger import evidence
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from pki import der, events, pointers, reason, transition
from pki.errors import BadHold
from pki.models import CertificateHold, IssuanceIntent, Revocation, RevocationChange
from pki.reason import HOLD, RELEASE
from pki.transition import Act

#: OBJECT IDENTIFIER id-ce-cRLReasons, 2.5.29.21 (RFC 5280, 5.3.1).
_REASON_CODE = bytes.fromhex("0603551d15")

#: A hold is for a while: what lasts longer is decided on.
LONGEST_HOLD = timedelta(days=90)

#: Who releases a hold whose end has come.
CLOCK = "installation"


def revoke(session: Session, serial: Serial, *, reason: str, actor: str, at: datetime) -> str:
    """Revoke and return the record's identifier. Raises ``NotFound``, ``AlreadyRevoked``, ``UnknownReason``.

    A certificate that was on hold is revoked from the day it was put there (X.509, 9.5.3.1).
    """
    _check_final(reason)
    found = _locked(session, serial)
    state = transition.after(found.state, Act.REVOKE, serial)
    held = session.get(CertificateHold, serial)
    since = held.at if held is not None else at
    enter(session, serial, found.issuer, reason=reason, at=since)
    _set(session, found, state, at, reason)
    event = events.revoked(found, reason, since=None if held is None else since, actor=actor)
    return evidence.append(session, event, at=at)


def _check_final(word: str) -> None:
    """Raise ``UnknownReason`` for what only a hold or its end may be listed with: nothing of a revocation ends."""
    reason.code(word)


def hold(session: Session, serial: Serial, *, until: datetime, message: str, actor: str, at: datetime) -> str:
    """Put on hold ``until`` a moment, or move that moment; return the record's identifier.

    ``message`` is the record's body, which can be erased, and is kept nowhere else.
    Raises ``NotFound``, ``AlreadyRevoked``, ``BadHold``.
    """
    if not at < until <= at + LONGEST_HOLD:
        raise BadHold(
            f"a hold ends between now and {LONGEST_HOLD.days} days from now", hint="or revoke the certificate"
        )
    found = _locked(session, serial)
    state = transition.after(found.state, Act.HOLD, serial)
    since = enter_hold(session, serial, found.issuer, until=until, at=at)
    _set(session, found, state, since, HOLD)
    body = {"message": message} if message else None
    return evidence.append(session, events.held(found, until, since=since, actor=actor), at=at, body=body)


def release(session: Session, serial: Serial, *, actor: str, at: datetime) -> str:
    """Release from hold and return the record's identifier. Raises ``NotFound``, ``AlreadyRevoked``, ``NotOnHold``."""
    found = _locked(session, serial)
    state = transition.after(found.state, Act.RELEASE, serial)
    leave_hold(session, serial, found.issuer, at=at)
    _set(session, found, state, None, "")
    return evidence.append(session, events.released(found, actor=actor), at=at)


def release_ended(session: Session, at: datetime, *, most: int = 500) -> int:
    """Release what is on hold and whose end has come, ``most`` at once; return how many."""
    ended = select(CertificateHold.serial).where(CertificateHold.until <= at).limit(most)
    released = 0
    # In the order in which an order of many takes them (``bulk.step``).
    for serial in sorted(map(Serial, session.exec(ended))):
        # Looked at again when nobody else can change it: it may have got a later end, or be gone.
        session.get(Credential, serial, with_for_update=True, populate_existing=True)
        held = session.get(CertificateHold, serial, populate_existing=True)
        if held is not None and held.until <= at:
            release(session, serial, actor=CLOCK, at=at)
            released += 1
    return released


def enter(session: Session, serial: Serial, issuer: str, *, reason: str, at: datetime) -> None:
    """Enter a serial number into the lists of its issuer, for ever."""
    entry, shard = encode_entry(serial, at, reason), pointers.shard(serial)
    _drop_hold(session, serial)
    session.add(Revocation(serial=serial, issuer=issuer, shard=shard, at=at, reason=reason, entry=entry))
    _change(session, serial, issuer, at, entry)


def enter_hold(session: Session, serial: Serial, issuer: str, *, until: datetime, at: datetime) -> datetime:
    """Enter a serial number into the lists as on hold, or move its end; return since when it is."""
    held = session.get(CertificateHold, serial)
    if held is not None:
        held.until = until
        session.add(held)
        return held.at
    entry, shard = encode_entry(serial, at, HOLD), pointers.shard(serial)
    row = CertificateHold(serial=serial, issuer=issuer, shard=shard, at=at, until=until, entry=entry)
    session.add(row)
    _change(session, serial, issuer, at, entry)
    return at


def leave_hold(session: Session, serial: Serial, issuer: str, *, at: datetime) -> None:
    """Take a serial number off the lists; a delta tells so (RFC 5280, 5.2.4)."""
    _drop_hold(session, serial)
    _change(session, serial, issuer, at, encode_entry(serial, at, RELEASE))


def _drop_hold(session: Session, serial: Serial) -> None:
    held = session.get(CertificateHold, serial)
    if held is not None:
        session.delete(held)


def _change(session: Session, serial: Serial, issuer: str, at: datetime, entry: bytes) -> None:
    shard = pointers.shard(serial)
    session.add(RevocationChange(issuer=issuer, shard=shard, serial=serial, at=at, entry=entry))
    session.flush()


def _locked(session: Session, serial: Serial) -> Credential:
    # Locked, or two at once would both find it good (SQLite: by the write lock).
    session.get(Credential, serial, with_for_update=True, populate_existing=True)
    return credential.get(session, serial)


def _set(session: Session, found: Credential, state: CredentialState, at: datetime | None, word: str) -> None:
    found.state, found.revoked_at, found.revocation_reason = state.value, at, word
    session.add(found)


def encode_entry(serial: Serial, at: datetime, word: str) -> bytes:
    """Return a revokedCertificates entry (RFC 5280, 5.1.2.6); ``unspecified`` carries no extension."""
    code = reason.listed_code(word)
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
    # In the order in which outcomes hold them, so that nobody waits in a ring.
    open_intents = session.exec(statement.order_by(IssuanceIntent.serial).with_for_update()).all()
    for intent in open_intents:
        intent.state = "abandoned"
        session.add(intent)
        enter(session, Serial(intent.serial), intent.issuer, reason="cessation-of-operation", at=at)
        evidence.append(session, events.abandoned(intent), at=at)
    return len(open_intents)
