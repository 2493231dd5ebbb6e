"""From a peer certificate to a principal: path, record, status, register. The status is read at every call."""

import hashlib
from functools import lru_cache

from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import DomainId, OrganisationId, PersonId, Principal, Serial, SubjectKind
from core.registry import credential, person
from core.registry.credential import Credential, CredentialState
from core.registry.errors import HasLeft
from core.registry.models import Person, SecurityDomain
from core.rule import LEFT
from pki import holder, issuer, path, plan
from pki.errors import (
    DepartedHolder,
    ForeignIssuer,
    NotEstablished,
    OnHold,
    OutgrownCertificate,
    Revoked,
    SuspendedHolder,
    UnknownCertificate,
)
from pki.issuer import ISSUING
from pki.models import CertificateHold
from pki.names import Holder
from pki.validation.certificate import Certificate

#: How many clients' certificates are kept as issued by us.
_KEPT = 512


class CertificateAuthenticator:
    """Implements ``core.access.Authenticator``."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        """Read status from ``database``; each authority's certificates are read once, they do not change."""
        self._database = database
        self._clock = clock
        self._authorities: dict[str, path.Authorities] = {}
        self._known: tuple[path.Authorities, ...] = ()
        # A client comes again and again: who issued its certificate does not change, so it is kept, for as many
        # certificates as a site's busiest hour sees. What is refused is not kept, and takes no room.
        self._issued = lru_cache(maxsize=_KEPT)(path.issued_by_one)

    def authenticate(self, certificate: bytes) -> Principal:
        """Return whom the DER ``certificate`` stands for, now. Raises an ``Unauthenticated`` with its reason."""
        with self._database.read() as session:
            return self.authenticate_within(session, certificate)

    def authenticate_within(self, session: Session, certificate: bytes) -> Principal:
        """As ``authenticate``, in the caller's transaction."""
        found, authorities = self._find(session, certificate)
        path.check(found, authorities, self._clock.now())
        serial = Serial(f"{found.serial_number:040x}")
        held = credential.find(session, serial)
        if held is None or held.certificate_sha256 != hashlib.sha256(certificate).hexdigest():
            raise UnknownCertificate("there is no record that this certificate was handed out")
        if held.state == CredentialState.REVOKED:
            hint = "ask the registration officer of your department"
            gone = str(LEFT) if _is_gone(session, held) else ""
            raise Revoked(f"the certificate {serial} was revoked", hint=hint, rule=gone, about=_name(held))
        if held.state == CredentialState.HELD:
            row = session.get(CertificateHold, serial)
            # Gone when it was released or revoked just now: it was on hold when this was asked.
            end = f" until {row.until:%Y-%m-%d %H:%M} UTC" if row is not None else ""
            hint = f"it is on hold{end}; ask the security administrator"
            raise OnHold(f"the certificate {serial} is on hold", hint=hint, about=_name(held))
        return _principal(session, held)

    def _find(self, session: Session, certificate: bytes) -> tuple[Certificate, path.Authorities]:
        try:
            return self._issued(certificate, self._known)
        except ForeignIssuer:
            # It may be of an authority that was made since; what nobody issued costs a look at the store.
            before = self._known
            self._look(session)
            if self._known == before:
                raise
            return self._issued(certificate, self._known)

    def _look(self, session: Session) -> None:
        plans = [one for one in plan.made(session) if one.kind == ISSUING]
        if not plans:
            raise NotEstablished("there is no issuing authority", hint="make the site with `guosuo init`")
        for one in plans:
            if one.name not in self._authorities:
                own = [issuer.get(session, name).der for name in (one.name, one.parent)]
                self._authorities[one.name] = path.trust(own)
        self._known = tuple(self._authorities[one.name] for one in plans)


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
    _check_level(session, held, named)
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


def _check_level(session: Session, held: Credential, named: Holder) -> None:
    """Raise ``OutgrownCertificate`` when the holder has moved up since: fewer may have agreed than are needed there."""
    if held.domain == named.domain:
        return
    issued_for = session.get(SecurityDomain, held.domain)
    level = 0 if issued_for is None else issued_for.level
    if level < named.level:
        detail = (
            f"this certificate was issued for `{held.domain}`, at level {level}; `{named.domain}` has {named.level}"
        )
        raise OutgrownCertificate(detail, hint="file a request for a new one at the desk", about=_name(held))
