"""From a peer certificate to a principal: path, record, status, register. The status is read at every call."""

import hashlib
from datetime import datetime, timedelta

from cryptography import x509
from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import DomainId, OrganisationId, PersonId, Principal, Serial, SubjectKind
from core.ledger import evidence
from core.registry import credential, person
from core.registry.credential import Credential, CredentialState
from pki import events, holder, issuer, path
from pki.errors import DepartedHolder, Revoked, SuspendedHolder, UnknownCertificate
from pki.issuer import ISSUING, ROOT

#: Between two records of the same certificate of somebody who left.
_PAUSE = timedelta(minutes=1)


class CertificateAuthenticator:
    """Implements ``core.access.Authenticator``."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        """Read status from ``database``; our authorities' certificates are read once, they do not change."""
        self._database = database
        self._clock = clock
        self._authorities: tuple[x509.Certificate, ...] = ()
        self._noted: dict[str, datetime] = {}

    def authenticate(self, certificate: bytes) -> Principal:
        """Return whom the DER ``certificate`` stands for, now. Raises an ``Unauthenticated`` with its reason."""
        try:
            with self._database.read() as session:
                return self.authenticate_within(session, certificate)
        except DepartedHolder as refusal:
            self._note(refusal)
            # A crash here leaves the record of a refusal that nobody was told: trying again is refused again.
            raise

    def authenticate_within(self, session: Session, certificate: bytes) -> Principal:
        """As ``authenticate``, in the caller's transaction."""
        found = path.validate(certificate, self._chain(session), self._clock.now())
        serial = Serial(f"{found.serial_number:040x}")
        held = credential.find(session, serial)
        if held is None or held.certificate_sha256 != hashlib.sha256(certificate).hexdigest():
            raise UnknownCertificate("there is no record that this certificate was handed out")
        _refuse_who_left(session, held)
        if held.state == CredentialState.REVOKED:
            hint = "ask the registration officer of your department"
            raise Revoked(f"the certificate {serial} was revoked", hint=hint)
        return _principal(session, held)

    def _note(self, refusal: DepartedHolder) -> None:
        """Record that somebody who left still tries; once a minute and certificate, however often they do."""
        now = self._clock.now()
        last = self._noted.get(refusal.serial)
        if last is not None and now - last < _PAUSE:
            return
        self._noted[refusal.serial] = now
        with self._database.write() as session:
            evidence.append(session, events.departed(refusal.serial, refusal.person), at=now)

    def _chain(self, session: Session) -> tuple[x509.Certificate, ...]:
        if not self._authorities:
            rows = [issuer.get(session, name) for name in (ISSUING, ROOT)]
            self._authorities = tuple(x509.load_der_x509_certificate(row.der) for row in rows)
        return self._authorities


def _refuse_who_left(session: Session, held: Credential) -> None:
    human = person.find(session, held.holder) if held.holder_kind == SubjectKind.PERSON else None
    if human is not None and human.left_at is not None:
        raise DepartedHolder(f"`{human.id}` has left", serial=held.serial, person=human.id)


def _principal(session: Session, held: Credential) -> Principal:
    kind = SubjectKind(held.holder_kind)
    try:
        named = holder.find(session, kind, held.holder)
    except TrustError as error:
        raise UnknownCertificate(f"the register no longer knows `{held.holder}`") from error
    organisation = named.organisation
    if kind is SubjectKind.PERSON:
        human = person.get(session, PersonId(held.holder))
        if human.suspended:
            raise SuspendedHolder(f"`{human.id}` is suspended", hint="ask the security administrator")
        organisation = human.organisation
    return Principal(
        kind=kind,
        identifier=held.holder,
        name=named.name,
        organisation=OrganisationId(organisation),
        domain=DomainId(held.domain),
        issuer=held.issuer,
        serial=Serial(held.serial),
    )
