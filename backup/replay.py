"""What happened after the cut, done again from its record: nothing that was revoked, given or taken is forgotten.

Each handler changes what the act itself changed, and is harmless when that is there already. A record whose effect
cannot be rebuilt from what it says is not dropped: it is named.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping

from sqlmodel import Session, col, select

from backup import (
    replay_acme,
    replay_approval,
    replay_authority,
    replay_code,
    replay_custody,
    replay_desk,
    replay_device,
    replay_duty,
    replay_profile,
    replay_register,
    replay_status,
    replay_takeover,
    replay_timestamp,
)
from backup.errors import Damaged
from backup.events import POINT_BEGUN, POINT_FAILED, POINT_SEALED, RECONCILED, object_of
from backup.mirror import Record
from backup.models import PointState, RecoveryPoint
from core.clock import from_rfc3339
from core.identity import Serial
from core.ledger import body
from core.ledger.models import WitnessedLog
from core.registry import credential
from core.registry.credential import Credential
from core.registry.models import Person, RoleAssignment
from pki import hierarchy
from pki.issuer import ISSUING, ROOT
from pki.models import Authority, Certificate, IssuanceIntent

#: Records that change nothing but the evidence.
RECORDS_ONLY = (
    replay_acme.RECORDS_ONLY
    | replay_device.RECORDS_ONLY
    | replay_takeover.RECORDS_ONLY
    | frozenset(
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


def _changes_nothing(record: Record) -> bool:
    return record.type in RECORDS_ONLY or record.result == "refused"


def _intended(session: Session, record: Record) -> bool:
    if session.get(IssuanceIntent, replay_status.serial_of(record)) is None:
        # Open, as it was: when no outcome follows it is given up and its serial number revoked, as after any crash.
        session.add(
            IssuanceIntent(
                serial=replay_status.serial_of(record),
                issuer=replay_status.text(record, "issuer"),
                profile=replay_status.text(record, "profile"),
                holder_kind="",
                holder=replay_status.text(record, "holder"),
                domain=record.domain,
                actor=record.actor,
                at=record.at,
                tbs=b"",
                request=replay_status.text(record, "request") if "request" in record.details else "",
                profiles=replay_status.text(record, "profiles") if "profiles" in record.details else "",
                renews=replay_status.text(record, "renews") if "renews" in record.details else "",
            )
        )
    return True


def _issued(session: Session, record: Record) -> bool:
    serial = replay_status.serial_of(record)
    der = base64.b64decode(replay_status.text(record, "certificate"), validate=True)
    if hashlib.sha256(der).hexdigest() != replay_status.text(record, "certificate_sha256"):
        raise ValueError("the certificate does not have the hash that stands beside it")
    replay_status.conclude_intent(session, serial, "issued", der, holder_kind=replay_status.text(record, "holder_kind"))
    if session.get(Certificate, serial) is None:
        session.add(
            Certificate(serial=serial, issuer=replay_status.text(record, "issuer"), issued_at=record.at, der=der)
        )
    if credential.find(session, serial) is None:
        session.add(
            Credential(
                serial=serial,
                issuer=replay_status.text(record, "issuer"),
                holder_kind=replay_status.text(record, "holder_kind"),
                holder=replay_status.text(record, "holder"),
                domain=replay_status.text(record, "domain"),
                profile=replay_status.text(record, "profile"),
                certificate_sha256=replay_status.text(record, "certificate_sha256"),
                spki_sha256=replay_status.text(record, "spki_sha256"),
                not_before=from_rfc3339(replay_status.text(record, "not_before")),
                not_after=from_rfc3339(replay_status.text(record, "not_after")),
            )
        )
    return True


def _authority_made(session: Session, record: Record) -> bool:
    name, serial = record.object.removeprefix("authority:"), Serial(replay_status.text(record, "serial"))
    der = base64.b64decode(replay_status.text(record, "certificate"), validate=True)
    replay_status.conclude_intent(session, serial, "issued", der, holder_kind="authority")
    known = session.exec(select(Authority).where(Authority.serial == serial)).first()
    if known is None:
        key = replay_status.text(record, "key")
        hierarchy.enter(session, Authority(name=name, key=key, serial=serial, der=der, issuer=_signer(record, name)))
    return True


def _signer(record: Record, name: str) -> str:
    """Return whose key signed an authority's certificate; records from before there were several do not say so."""
    if "issuer" in record.details:
        return replay_status.text(record, "issuer")
    return ROOT if name in (ROOT, ISSUING) else ISSUING


def _role_given(session: Session, record: Record) -> bool:
    person, role = record.object.removeprefix("person:"), replay_status.text(record, "role")
    if session.get(Person, person) is None:
        return False
    if not _open_roles(session, person, record.domain, role):
        session.add(RoleAssignment(person=person, domain=record.domain, role=role, since=record.at, giver=record.actor))
    return True


def _role_withdrawn(session: Session, record: Record) -> bool:
    person = record.object.removeprefix("person:")
    for row in _open_roles(session, person, record.domain, replay_status.text(record, "role")):
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
        row.state, row.ended_at, row.sha256 = PointState.SEALED.value, record.at, replay_status.text(record, "sha256")
        row.size, row.ledger_size = replay_status.number(record, "size"), replay_status.number(record, "ledger_size")
        row.ledger_root = replay_status.text(record, "ledger_root")
    elif record.type == POINT_FAILED:
        row.state, row.ended_at, row.cause = PointState.FAILED.value, record.at, replay_status.text(record, "cause")
    if record.type != POINT_BEGUN:
        row.record = record.identifier
    session.add(row)
    return True


def _witnessed(session: Session, record: Record) -> bool:
    """A witness that forgot could be shown another history: it remembers at least what is on record."""
    origin, size = record.object.removeprefix("log:"), replay_status.number(record, "size")
    row = session.get(WitnessedLog, origin)
    if row is None or row.size < size:
        row = row or WitnessedLog(origin=origin, size=size, root="", note=b"", at=record.at)
        root, note = replay_status.text(record, "root"), replay_status.text(record, "note")
        row.size, row.root, row.note = size, root, note.encode()
        row.at = row.recorded_at = record.at
        session.add(row)
    return True


_HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    **replay_acme.HANDLERS,
    **replay_authority.HANDLERS,
    **replay_approval.HANDLERS,
    **replay_code.HANDLERS,
    **replay_desk.HANDLERS,
    **replay_device.HANDLERS,
    **replay_duty.HANDLERS,
    "ledger.witness.advanced": _witnessed,
    "pki.authority.made": _authority_made,
    "pki.certificate.issued": _issued,
    "pki.issuance.intended": _intended,
    "registry.role.appointed": _role_given,
    "registry.role.assigned": _role_given,
    "registry.role.withdrawn": _role_withdrawn,
    **replay_profile.HANDLERS,
    **replay_register.HANDLERS,
    **replay_status.HANDLERS,
    **replay_takeover.HANDLERS,
    POINT_BEGUN: _point,
    POINT_FAILED: _point,
    POINT_SEALED: _point,
    **replay_custody.HANDLERS,
    **replay_timestamp.HANDLERS,
}
