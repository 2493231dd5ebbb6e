"""What happened after the cut, done again from its record: nothing that was revoked, given or taken is forgotten.

Each handler changes what the act itself changed, and is harmless when that is there already. A record whose effect
cannot be rebuilt from what it says is not dropped: it is named.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from cryptography import x509
from sqlmodel import Session, col, func, select

from backup import replay_approval, replay_custody, replay_duty, replay_register, replay_timestamp
from backup.errors import Damaged
from backup.events import POINT_BEGUN, POINT_FAILED, POINT_SEALED, RECONCILED, object_of
from backup.mirror import Record
from backup.models import PointState, RecoveryPoint
from core.clock import from_rfc3339
from core.identity import Serial
from core.ledger import body
from core.ledger.models import WitnessedLog
from core.registry import credential
from core.registry.credential import Credential, CredentialState
from core.registry.models import Person, RoleAssignment
from pki import revocation
from pki.issuer import ISSUING, ROOT
from pki.models import Authority, Certificate, CrlPublication, IssuanceIntent, Revocation

#: Records that change nothing but the evidence.
RECORDS_ONLY = frozenset(
    {
        "authz.decision.explained",
        "authz.decision.made",
        "gateway.request.refused",
        "installation.service.started",
        "installation.store.upgraded",
        "ledger.body.disclosed",
        "ledger.bundle.exported",
        "ledger.extract.exported",
        "ledger.record.annotated",
        # The duties that a message told of are rebuilt; the next digest tells of those that still wait.
        "notice.channel.tested",
        "notice.message.queued",
        "notice.message.sent",
        "pki.request.refused",
        "registry.province.applied",
        RECONCILED,
    }
)


class Replay:
    """Does records again in one session; ``done`` counts them by type, ``left`` holds what could not be rebuilt.

    ``bodies`` holds the records that have, or had, a body: it does not come with them.
    """

    def __init__(self, session: Session) -> None:
        """Begin with nothing done."""
        self.session = session
        self.done: Counter[str] = Counter()
        self.left: list[Record] = []
        self.bodies: list[Record] = []

    def apply(self, record: Record) -> None:
        """Do ``record`` again. Raises ``Damaged`` when it says something that no record of its type can say."""
        handler = _HANDLERS.get(record.type)
        try:
            rebuilt = handler(self.session, record) if handler else _changes_nothing(record)
        except (KeyError, ValueError, TypeError) as error:
            raise Damaged(f"record {record.sequence} (`{record.type}`) cannot be read: {error!r}") from error
        if not rebuilt:
            self.left.append(record)
        elif handler is not None:
            self.done[record.type] += 1
        if body.is_committed(record.details):
            self.bodies.append(record)
        self.session.flush()


def forget_lists(session: Session, margin: int, at: datetime) -> dict[str, int]:
    """Take every old list out of use and let numbers jump; return the highest number known before, by authority.

    An old list lacks what was revoked after it: none at all is better until the next one is signed. A list that was
    published in the last moments may be unknown here: its number must not be used again, hence ``margin``.
    """
    highest = session.exec(
        select(CrlPublication.issuer, func.max(CrlPublication.number)).group_by(CrlPublication.issuer)
    )
    found = dict(highest.all())
    for row in session.exec(select(CrlPublication).where(col(CrlPublication.der).is_not(None))):
        row.der = None
        session.add(row)
    for name in (ROOT, ISSUING):
        number = found.setdefault(name, 0) + margin
        session.add(CrlPublication(issuer=name, number=number, this_update=at, next_update=at, entries=0))
    session.flush()
    return found


def _changes_nothing(record: Record) -> bool:
    return record.type in RECORDS_ONLY or record.result == "refused"


def _text(record: Record, name: str) -> str:
    value = record.details[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def _number(record: Record, name: str) -> int:
    value = record.details[name]
    if not isinstance(value, int):
        raise TypeError(f"`{name}` is no number")
    return value


def _serial(record: Record) -> Serial:
    return Serial(record.object.removeprefix("certificate:"))


def _intended(session: Session, record: Record) -> bool:
    if session.get(IssuanceIntent, _serial(record)) is None:
        # Open, as it was: when no outcome follows it is given up and its serial number revoked, as after any crash.
        session.add(
            IssuanceIntent(
                serial=_serial(record),
                issuer=_text(record, "issuer"),
                profile=_text(record, "profile"),
                holder_kind="",
                holder=_text(record, "holder"),
                domain=record.domain,
                actor=record.actor,
                at=record.at,
                tbs=b"",
            )
        )
    return True


def _issued(session: Session, record: Record) -> bool:
    serial = _serial(record)
    der = base64.b64decode(_text(record, "certificate"), validate=True)
    if hashlib.sha256(der).hexdigest() != _text(record, "certificate_sha256"):
        raise ValueError("the certificate does not have the hash that stands beside it")
    _conclude_intent(session, serial, "issued", der, holder_kind=_text(record, "holder_kind"))
    if session.get(Certificate, serial) is None:
        session.add(Certificate(serial=serial, issuer=_text(record, "issuer"), issued_at=record.at, der=der))
    if credential.find(session, serial) is None:
        session.add(
            Credential(
                serial=serial,
                issuer=_text(record, "issuer"),
                holder_kind=_text(record, "holder_kind"),
                holder=_text(record, "holder"),
                domain=_text(record, "domain"),
                profile=_text(record, "profile"),
                certificate_sha256=_text(record, "certificate_sha256"),
                spki_sha256=_text(record, "spki_sha256"),
                not_before=from_rfc3339(_text(record, "not_before")),
                not_after=from_rfc3339(_text(record, "not_after")),
            )
        )
    return True


def _conclude_intent(session: Session, serial: Serial, state: str, der: bytes, *, holder_kind: str = "") -> None:
    intent = session.get(IssuanceIntent, serial)
    if intent is None:
        return
    intent.state = state
    intent.holder_kind = intent.holder_kind or holder_kind
    if der and not intent.tbs:
        intent.tbs = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    session.add(intent)


def _abandoned(session: Session, record: Record) -> bool:
    serial = _serial(record)
    intent = session.get(IssuanceIntent, serial)
    if intent is None:
        return False
    _conclude_intent(session, serial, "abandoned", b"")
    if session.get(Revocation, serial) is None:
        revocation.enter(session, serial, intent.issuer, reason="cessation-of-operation", at=record.at)
    return True


def _revoked(session: Session, record: Record) -> bool:
    serial, word = _serial(record), _text(record, "reason")
    if session.get(Revocation, serial) is None:
        revocation.enter(session, serial, _text(record, "issuer"), reason=word, at=record.at)
    found = credential.find(session, serial)
    if found is not None and found.state != CredentialState.REVOKED:
        found.state, found.revoked_at = CredentialState.REVOKED.value, record.at
        found.revocation_reason = word
        session.add(found)
    return True


def _crl_published(session: Session, record: Record) -> bool:
    issuer, number = record.object.removeprefix("crl:"), _number(record, "number")
    if session.get(CrlPublication, (issuer, number)) is None:
        entries = _number(record, "entries")
        session.add(
            CrlPublication(issuer=issuer, number=number, this_update=record.at, next_update=record.at, entries=entries)
        )
    return True


def _authority_made(session: Session, record: Record) -> bool:
    name, serial = record.object.removeprefix("authority:"), Serial(_text(record, "serial"))
    der = base64.b64decode(_text(record, "certificate"), validate=True)
    _conclude_intent(session, serial, "issued", der, holder_kind="authority")
    if session.get(Authority, name) is None:
        session.add(Authority(name=name, key=_text(record, "key"), serial=serial, der=der))
    return True


def _role_given(session: Session, record: Record) -> bool:
    person, role = record.object.removeprefix("person:"), _text(record, "role")
    if session.get(Person, person) is None:
        return False
    if not _open_roles(session, person, record.domain, role):
        session.add(RoleAssignment(person=person, domain=record.domain, role=role, since=record.at, giver=record.actor))
    return True


def _role_withdrawn(session: Session, record: Record) -> bool:
    person = record.object.removeprefix("person:")
    for row in _open_roles(session, person, record.domain, _text(record, "role")):
        row.until = record.at
        session.add(row)
    return True


def _open_roles(session: Session, person: str, domain: str, role: str) -> list[RoleAssignment]:
    statement = select(RoleAssignment).where(
        RoleAssignment.person == person, RoleAssignment.domain == domain, RoleAssignment.role == role
    )
    return list(session.exec(statement.where(col(RoleAssignment.until).is_(None))))


def _point(session: Session, record: Record) -> bool:
    identifier = record.object.removeprefix(object_of(""))
    row = session.get(RecoveryPoint, identifier)
    if row is None:
        row = RecoveryPoint(id=identifier, state=PointState.BEGUN.value, actor=record.actor, at=record.at)
    if record.type == POINT_SEALED:
        row.state, row.ended_at, row.sha256 = PointState.SEALED.value, record.at, _text(record, "sha256")
        row.size, row.ledger_size = _number(record, "size"), _number(record, "ledger_size")
        row.ledger_root = _text(record, "ledger_root")
    elif record.type == POINT_FAILED:
        row.state, row.ended_at, row.cause = PointState.FAILED.value, record.at, _text(record, "cause")
    if record.type != POINT_BEGUN:
        row.record = record.identifier
    session.add(row)
    return True


def _witnessed(session: Session, record: Record) -> bool:
    """A witness that forgot could be shown another history: it remembers at least what is on record."""
    origin, size = record.object.removeprefix("log:"), _number(record, "size")
    row = session.get(WitnessedLog, origin)
    if row is None or row.size < size:
        row = row or WitnessedLog(origin=origin, size=size, root="", note=b"", at=record.at)
        row.size, row.root, row.note = size, _text(record, "root"), _text(record, "note").encode()
        row.at = row.recorded_at = record.at
        session.add(row)
    return True


_HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    **replay_approval.HANDLERS,
    **replay_duty.HANDLERS,
    "ledger.witness.advanced": _witnessed,
    "pki.authority.made": _authority_made,
    "pki.certificate.issued": _issued,
    "pki.certificate.revoked": _revoked,
    "pki.crl.published": _crl_published,
    "pki.issuance.abandoned": _abandoned,
    "pki.issuance.intended": _intended,
    "registry.role.appointed": _role_given,
    "registry.role.assigned": _role_given,
    "registry.role.withdrawn": _role_withdrawn,
    **replay_register.HANDLERS,
    POINT_BEGUN: _point,
    POINT_FAILED: _point,
    POINT_SEALED: _point,
    **replay_custody.HANDLERS,
    **replay_timestamp.HANDLERS,
}
