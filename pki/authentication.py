"""From a peer certificate to a principal: path, record, status, register. The status is read at every call."""

import hashlib

from cryptography import x509
from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import DomainId, OrganisationId, PersonId, Principal, Serial, SubjectKind
from core.registry import credential, person
from core.registry.credential import Credential, CredentialState
from core.registry.errors import HasLeft
from core.registry.models import Person
from core.rule import LEFT
from pki import holder, issuer, path
from pki.errors import DepartedHolder, OnHold, Revoked, SuspendedHolder, UnknownCertificate
from pki.issuer import ISSUING, ROOT
from pki.models import CertificateHold


class CertificateAuthenticator:
    """Implements ``core.access.Authenticator``."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        """Read status from ``database``; our authorities' certificates are read once, they do not change."""
        self._database = database
        self._clock = clock
        self._authorities: tuple[x509.Certificate, ...] = ()

    def authenticate(self, certificate: bytes) -> Principal:
        """Return whom the DER ``certificate`` stands for, now. Raises an ``Unauthenticated`` with its reason."""
        with self._database.read() as session:
            return self.authenticate_within(session, certificate)

    def authenticate_within(self, session: Session, certificate: bytes) -> Principal:
        """As ``authenticate``, in the caller's transaction."""
        found = path.validate(certificate, self._chain(session), self._clock.now())
        serial = Serial(f"{found.serial_number:040x}")
        held = credential.find(session, serial)
        if held is None or held.certificate_sha256 != hashlib.sha256(certificate).hexdigest():
            raise UnknownCertificate("there is no record that this certificate was handed out")
        if held.state == CredentialState.REVOKED:
            hint = "ask the registration officer of your department"
            gone = str(LEFT) if _is_gone(session, held) else ""
            raise Revoked(f"the certificate {serial} was revoked", hint=hint, rule=gone, about=_name(held))
        if held.state == CredentialState.HELD:
            until = session.get_one(CertificateHold, serial).until
            hint = f"it is on hold until {until:%Y-%m-%d %H:%M} UTC; ask the security administrator"
            raise OnHold(f"the certificate {serial} is on hold", hint=hint, about=_name(held))
        return _principal(session, held)

    def _chain(self, session: Session) -> tuple[x509.Certificate, ...]:
        if not self._authorities:
            rows = [issuer.get(session, name) for name in (ISSUING, ROOT)]
            self._authorities = tuple(x509.load_der_x509_certificate(row.der) for row in rows)
        return self._authorities


def _name(held: Credential) -> str:
    return f"{held.holder_kind}:{held.holder}"


def _is_gone(session: Session, held: Credential) -> bool:
    """Say whether the holder is a person who left: their certificates are revoked with them."""
    human = session.get(Person, held.holder) if held.holder_kind == SubjectKind.PERSON else None
    return human is not None and human.left_at is not None


def _principal(session: Session, held: Credential) -> Principal:
    kind = SubjectKind(held.holder_kind)
    try:
        named = holder.find(session, kind, held.holder)
    except HasLeft as error:
        raise DepartedHolder(error.detail, rule=str(LEFT), about=_name(held)) from error
    except TrustError as error:
        raise UnknownCertificate(f"the register no longer knows `{held.holder}`") from error
    organisation = named.organisation
    if kind is SubjectKind.PERSON:
        human = person.get(session, PersonId(held.holder))
        if human.suspended:
            detail, hint = f"`{human.id}` is suspended", "ask the security administrator"
            raise SuspendedHolder(detail, hint=hint, rule=str(LEFT), about=_name(held))
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
