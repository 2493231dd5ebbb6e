"""Status of certificates, done again from its record: what is revoked, what is on hold, and which numbers were used."""

from collections.abc import Callable, Mapping
from datetime import datetime

from cryptography import x509
from sqlmodel import Session, col, delete, func, select

from backup.mirror import Record
from core.clock import from_rfc3339
from core.identity import Serial
from core.registry import credential
from core.registry.credential import CredentialState
from pki import bulk, plan, revocation
from pki.models import (
    BulkRevocation,
    BulkRevocationItem,
    CertificateHold,
    CrlList,
    CrlPublication,
    IssuanceIntent,
    Revocation,
    RevocationChange,
)
from pki.reason import HOLD


def forget_lists(session: Session, margin: int, at: datetime) -> dict[str, int]:
    """Take every old list out of use and let numbers jump; return the highest number known before, by authority.

    An old list lacks what was revoked after it: none at all is better until the next one is signed. A list that was
    published in the last moments may be unknown here: its number must not be used again, hence ``margin``.
    """
    highest = session.exec(
        select(CrlPublication.issuer, func.max(CrlPublication.number)).group_by(CrlPublication.issuer)
    )
    found = dict(highest.all())
    session.connection().execute(delete(CrlList))
    # A delta tells what changed since a list: there is none any more, and each is made anew from the rows.
    session.connection().execute(delete(RevocationChange))
    for name in (one.name for one in plan.every(session) if one.is_ours):
        number = found.setdefault(name, 0) + margin
        session.add(CrlPublication(issuer=name, number=number, this_update=at, next_update=at, entries=0))
    session.flush()
    return found


def text(record: Record, name: str) -> str:
    """Return a text of the record's details; raises ``KeyError`` or ``TypeError``."""
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def number(record: Record, name: str) -> int:
    """Return a number of the record's details; raises ``KeyError`` or ``TypeError``."""
    value = record.details[name]
    if not isinstance(value, int):
        raise TypeError(f"`{name}` is no number")
    return value


def serial_of(record: Record) -> Serial:
    """Return the serial number that the record is about."""
    return Serial(record.object.removeprefix("certificate:"))


def conclude_intent(session: Session, serial: Serial, state: str, der: bytes, *, holder_kind: str = "") -> None:
    """Give an intention its outcome, when it is there."""
    intent = session.get(IssuanceIntent, serial)
    if intent is None:
        return
    intent.state = state
    intent.holder_kind = intent.holder_kind or holder_kind
    if der and not intent.tbs:
        intent.tbs = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    session.add(intent)


def _abandoned(session: Session, record: Record) -> bool:
    serial = serial_of(record)
    intent = session.get(IssuanceIntent, serial)
    if intent is None:
        return False
    conclude_intent(session, serial, "abandoned", b"")
    if session.get(Revocation, serial) is None:
        revocation.enter(session, serial, intent.issuer, reason="cessation-of-operation", at=record.at)
    return True


def _revoked(session: Session, record: Record) -> bool:
    serial, word = serial_of(record), text(record, "reason")
    if session.get(Revocation, serial) is None:
        since = from_rfc3339(text(record, "since")) if "since" in record.details else record.at
        revocation.enter(session, serial, text(record, "issuer"), reason=word, at=since)
    found = credential.find(session, serial)
    if found is not None and found.state != CredentialState.REVOKED:
        _set(session, serial, CredentialState.REVOKED, record.at, word)
    return True


def _held(session: Session, record: Record) -> bool:
    """On hold, as it was; the message that was told with it is not in the record."""
    serial, until = serial_of(record), from_rfc3339(text(record, "until"))
    if session.get(Revocation, serial) is None:
        since, by = from_rfc3339(text(record, "since")), text(record, "issuer")
        at = revocation.enter_hold(session, serial, by, until=until, at=since)
        _set(session, serial, CredentialState.HELD, at, HOLD)
    return True


def _released(session: Session, record: Record) -> bool:
    serial = serial_of(record)
    if session.get(CertificateHold, serial) is not None:
        revocation.leave_hold(session, serial, text(record, "issuer"), at=record.at)
        _set(session, serial, CredentialState.GOOD, None, "")
    return True


def _ordered(session: Session, record: Record) -> bool:
    """Goes on when the plan was there at the cut; else nobody knows here which they were."""
    made = session.get(BulkRevocation, record.object.removeprefix("certificates:"))
    if made is not None and made.state == bulk.PLANNED:
        made.state, made.actor, made.at = "open", record.actor, record.at
        session.add(made)
    return made is not None


def _finished(session: Session, record: Record) -> bool:
    """Carried out: each certificate has its own record, and nothing is left to do, or to be told a second time."""
    made = session.get(BulkRevocation, record.object.removeprefix("certificates:"))
    if made is not None:
        made.state, made.done, made.skipped = "done", made.total, number(record, "skipped")
        session.add(made)
        session.connection().execute(delete(BulkRevocationItem).where(col(BulkRevocationItem.order) == made.id))
    return True


def _set(session: Session, serial: Serial, state: CredentialState, at: datetime | None, word: str) -> None:
    found = credential.find(session, serial)
    if found is not None:
        found.state, found.revoked_at, found.revocation_reason = state.value, at, word
        session.add(found)


def _crl_published(session: Session, record: Record) -> bool:
    issuer, taken = record.object.removeprefix("crl:"), number(record, "number")
    if session.get(CrlPublication, (issuer, taken)) is None:
        session.add(
            CrlPublication(
                issuer=issuer,
                number=taken,
                this_update=record.at,
                next_update=record.at,
                entries=number(record, "entries"),
                published_at=record.at,
            )
        )
    return True


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    "pki.certificate.held": _held,
    "pki.certificate.released": _released,
    "pki.certificate.revoked": _revoked,
    "pki.crl.published": _crl_published,
    "pki.issuance.abandoned": _abandoned,
    "pki.revocation.finished": _finished,
    "pki.revocation.ordered": _ordered,
}
