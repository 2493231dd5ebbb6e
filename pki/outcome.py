"""Intentions and outcomes of issuance in the store, many at once: one statement a table, whatever their number."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from sqlalchemy import insert, update
from sqlmodel import Session, SQLModel, col, select

from core.errors import TrustError
from core.identity import PersonId, Serial, SubjectKind
from core.ledger import evidence
from core.registry import person
from core.registry.credential import Credential
from pki import events
from pki.authorisation import Admitted
from pki.errors import Lapsed
from pki.models import Certificate, IssuanceIntent
from pki.tbs import Prepared


@dataclass(frozen=True, slots=True)
class Planned:
    """A certificate that is about to be signed. ``profiles`` is the digest of the profiles it follows."""

    prepared: Prepared
    admitted: Admitted
    profiles: str
    actor: str
    issuer: str

    @property
    def serial(self) -> Serial:
        """Return its serial number."""
        return self.prepared.serial

    @property
    def request(self) -> str:
        """Return the digest of the request that it is for."""
        return self.prepared.request

    @property
    def profile(self) -> str:
        """Return the name of its profile."""
        return self.admitted.profile.name

    @property
    def holder(self) -> str:
        """Return whom it stands for."""
        return self.admitted.holder.identifier

    @property
    def domain(self) -> str:
        """Return the holder's domain."""
        return self.admitted.holder.domain


def intend(session: Session, planned: Sequence[Planned], *, at: datetime) -> None:
    """Record what is about to be signed: from then on its serial numbers are known."""
    _insert(session, IssuanceIntent, [_intention(one, at) for one in planned])
    evidence.insert_all(session, [evidence.prepare(events.intended(one), at=at) for one in planned])


def conclude(session: Session, signed: Sequence[tuple[Planned, bytes]], *, at: datetime) -> Mapping[Serial, TrustError]:
    """Record what was signed (DER); return, by serial number, what could not be: that is not to be handed out."""
    refused = _refused(session, [planned for planned, _der in signed])
    good = [(planned, der) for planned, der in signed if planned.serial not in refused]
    if not good:
        return refused
    entered = [_credential(planned, der) for planned, der in good]
    serials = [planned.serial for planned, _der in good]
    changed = update(IssuanceIntent).where(col(IssuanceIntent.serial).in_(serials)).values(state="issued")
    session.connection().execute(changed)
    _insert(
        session,
        Certificate,
        [{"serial": one.serial, "issuer": one.issuer, "issued_at": at, "der": der} for one, der in good],
    )
    _insert(session, Credential, [one.model_dump() for one in entered])
    told = [events.issued(one, der, actor=planned.actor) for one, (planned, der) in zip(entered, good, strict=True)]
    evidence.insert_all(session, [evidence.prepare(event, at=at) for event in told])
    return refused


def _refused(session: Session, planned: Sequence[Planned]) -> dict[Serial, TrustError]:
    serials = [one.serial for one in planned]
    statement = select(IssuanceIntent.serial).where(
        col(IssuanceIntent.serial).in_(serials), IssuanceIntent.state == "open"
    )
    held = set(session.exec(statement.order_by(IssuanceIntent.serial).with_for_update()))
    # Somebody took us for dead and gave the serial number up; it is revoked, and stays so.
    late = {one.serial: Lapsed("issuing took so long that it was given up", hint="ask again") for one in planned}
    refused: dict[Serial, TrustError] = {serial: error for serial, error in late.items() if serial not in held}
    people = {one.admitted.holder.identifier for one in planned if one.admitted.holder.kind == SubjectKind.PERSON}
    gone: dict[str, TrustError] = {}
    for identifier in sorted(people):
        try:
            # Whoever left in the meantime gets nothing: the intention stays open, and is given up and revoked.
            person.get_serving(session, PersonId(identifier), hold=True)
        except TrustError as error:
            gone[identifier] = error
    for one in planned:
        if one.admitted.holder.kind == SubjectKind.PERSON and one.admitted.holder.identifier in gone:
            refused.setdefault(one.serial, gone[one.admitted.holder.identifier])
    return refused


def _intention(planned: Planned, at: datetime) -> dict[str, object]:
    return {
        "serial": planned.serial,
        "issuer": planned.issuer,
        "profile": planned.profile,
        "holder_kind": planned.admitted.holder.kind,
        "holder": planned.holder,
        "domain": planned.domain,
        "actor": planned.actor,
        "at": at,
        "tbs": planned.prepared.tbs,
        "state": "open",
        "request": planned.request,
        "profiles": planned.profiles,
    }


def _credential(planned: Planned, der: bytes) -> Credential:
    made = x509.load_der_x509_certificate(der)
    return Credential(
        serial=planned.serial,
        issuer=planned.issuer,
        holder_kind=planned.admitted.holder.kind,
        holder=planned.admitted.holder.identifier,
        domain=planned.admitted.holder.domain,
        profile=planned.admitted.profile.name,
        certificate_sha256=hashlib.sha256(der).hexdigest(),
        spki_sha256=hashlib.sha256(planned.admitted.content.spki).hexdigest(),
        not_before=made.not_valid_before_utc,
        not_after=made.not_valid_after_utc,
    )


def _insert(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]]) -> None:
    session.connection().execute(insert(table), list(rows))
