"""Issue a certificate: check, record the intention, sign, record the outcome. In this order, whatever happens between.

1. The request's content is checked against the register; a refusal uses no serial number and leaves its record alone.
2. Serial number and to-be-signed certificate are recorded and committed, before any key is used.
3. The token signs exactly these octets.
4. Certificate and credential are recorded and committed; only then is anything handed out.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import Session

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.identity import PersonId, Serial, SubjectKind
from core.ledger import evidence
from core.registry import credential, levels, person
from core.registry.credential import Credential, CredentialState
from hsm.client import SignerClient
from pki import csr, events, holder, issuer, names, pointers, profile, strength, tbs
from pki.csr import CertificationRequest
from pki.errors import AuthorityExpired, Lapsed, ReusedKey, RevokedKey, WrongProfile
from pki.issuer import ISSUING, Issuer
from pki.models import Certificate, IssuanceIntent
from pki.names import Holder
from pki.profile import Profile
from pki.settings import PkiSettings
from pki.tbs import Prepared, Template


@dataclass(frozen=True, slots=True)
class IssuanceRequest:
    """What is asked for. ``lifetime_seconds`` may only shorten what the profile gives; hosts are checked names."""

    csr: bytes
    profile: str
    holder_kind: SubjectKind
    holder: str
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    lifetime_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate as it is handed out: DER, and PEM with the issuing authority's after it."""

    serial: Serial
    der: bytes
    chain_pem: str


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A request that passed every check."""

    request: IssuanceRequest
    content: CertificationRequest
    holder: Holder
    profile: Profile


class CertificateAuthority:
    """The issuing authority."""

    def __init__(
        self,
        *,
        database: Database,
        keys: SignerClient,
        clock: Clock,
        random: Callable[[int], bytes],
        settings: PkiSettings,
    ) -> None:
        """Issue with the key ``issuing-ca`` in the token behind ``keys``."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._random = random
        self._settings = settings

    def issue(self, request: IssuanceRequest, *, actor: str) -> IssuedCertificate:
        """Issue a certificate. Raises the refusal (recorded), or ``Unavailable`` when token or store do not answer."""
        try:
            admitted = self._admit(request)
        except TrustError as refusal:
            self._record_refusal(request, refusal, actor)
            # A crash here leaves a recorded refusal that nobody was told: asking again is refused, and recorded, again.
            raise
        with self._database.read() as session:
            authority = issuer.load(session, ISSUING, self._keys)
        prepared = tbs.prepare(self._template(admitted, authority))
        self._intend(admitted, prepared, actor)
        # A crash here leaves a serial number that is known and was never signed: ``resume`` gives it up and revokes it.
        der = authority.sign(prepared)
        # A crash here leaves a signed certificate that nobody has, under a known serial number: as above.
        self._conclude(admitted, prepared, der, actor)
        # A crash here leaves an issued certificate that its holder did not get: it is listed, and can be revoked.
        chain = [x509.load_der_x509_certificate(der), authority.certificate]
        pem = "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in chain)
        return IssuedCertificate(prepared.serial, der, pem)

    def _admit(self, request: IssuanceRequest) -> _Admitted:
        wanted = profile.get(request.profile)
        if wanted.holder_kind is not request.holder_kind:
            raise WrongProfile(f"the profile `{wanted.name}` is not for a {request.holder_kind}")
        if request.lifetime_seconds is not None and request.lifetime_seconds < 1:
            raise WrongProfile(f"a lifetime of {request.lifetime_seconds} seconds is none", hint="leave it out")
        if (request.dns_names or request.ip_addresses) and not wanted.named:
            raise WrongProfile(f"a certificate of profile `{wanted.name}` carries no host names")
        content = csr.parse_request(request.csr)
        with self._database.read() as session:
            found = holder.find(session, request.holder_kind, request.holder)
            strength.check_key(content.key, found.level)
            csr.check_content(content, found, allowed_hosts=request.dns_names)
            names.check_hosts(found, request.dns_names)
            names.check_addresses(found, request.ip_addresses)
            _check_key(session, content, request)
        return _Admitted(request, content, found, wanted)

    def _template(self, admitted: _Admitted, authority: Issuer) -> Template:
        start = self._clock.now().replace(microsecond=0)
        serial = issuer.new_serial(self._random)
        return Template(
            serial=serial,
            issuer=authority.certificate.subject,
            subject=names.subject(admitted.holder),
            not_before=start,
            not_after=_end(admitted, start, authority),
            spki=admitted.content.spki,
            extensions=_extensions(admitted, authority, self._settings.public_url, serial),
        )

    def _intend(self, admitted: _Admitted, prepared: Prepared, actor: str) -> None:
        at = self._clock.now()
        intent = IssuanceIntent(
            serial=prepared.serial,
            issuer=ISSUING,
            profile=admitted.profile.name,
            holder_kind=admitted.request.holder_kind.value,
            holder=admitted.holder.identifier,
            domain=admitted.holder.domain,
            actor=actor,
            at=at,
            tbs=prepared.tbs,
        )
        with self._database.write() as session:
            session.add(intent)
            evidence.append(session, events.intended(intent), at=at)

    def _conclude(self, admitted: _Admitted, prepared: Prepared, der: bytes, actor: str) -> None:
        at = self._clock.now()
        made = x509.load_der_x509_certificate(der)
        entered = Credential(
            serial=prepared.serial,
            issuer=ISSUING,
            holder_kind=admitted.request.holder_kind.value,
            holder=admitted.holder.identifier,
            domain=admitted.holder.domain,
            profile=admitted.profile.name,
            certificate_sha256=hashlib.sha256(der).hexdigest(),
            spki_sha256=hashlib.sha256(admitted.content.spki).hexdigest(),
            not_before=made.not_valid_before_utc,
            not_after=made.not_valid_after_utc,
        )
        with self._database.write() as session:
            intent = session.get_one(IssuanceIntent, prepared.serial, with_for_update=True)
            if intent.state != "open":
                # Somebody took us for dead and gave the serial number up; it is revoked, and stays so.
                raise Lapsed("issuing took so long that it was given up", hint="ask again")
            if admitted.request.holder_kind is SubjectKind.PERSON:
                # Whoever left in the meantime gets nothing: the intention stays open, and is given up and revoked.
                person.get_serving(session, PersonId(admitted.holder.identifier), hold=True)
            intent.state = "issued"
            session.add(intent)
            session.add(Certificate(serial=prepared.serial, issuer=ISSUING, issued_at=at, der=der))
            session.add(entered)
            evidence.append(session, events.issued(entered, der, actor=actor), at=at)

    def _record_refusal(self, request: IssuanceRequest, refusal: TrustError, actor: str) -> None:
        event = events.refused(request.holder[:80], request.profile[:40], refusal.word, actor=actor)
        with self._database.write() as session:
            evidence.append(session, event, at=self._clock.now())


def _end(admitted: _Admitted, start: datetime, authority: Issuer) -> datetime:
    """Return the last second: of the profile, of the level, of what was asked for, or of the authority.

    Whichever is first. Raises ``AuthorityExpired``.
    """
    lifetime = min(admitted.profile.lifetime, levels.longest_life(admitted.holder.kind, admitted.holder.level))
    if admitted.request.lifetime_seconds is not None:
        lifetime = min(lifetime, timedelta(seconds=admitted.request.lifetime_seconds))
    # A validity period includes its last second (RFC 5280, 4.1.2.5).
    end = start + lifetime - timedelta(seconds=0 if lifetime.total_seconds() <= 1 else 1)
    end = min(end, authority.certificate.not_valid_after_utc)
    if end <= start:
        raise AuthorityExpired("the issuing authority's own certificate has expired", hint="make a new authority")
    return end


def _check_key(session: Session, content: CertificationRequest, request: IssuanceRequest) -> None:
    """Raise ``RevokedKey`` or ``ReusedKey``: a key belongs to one holder, and dies with a revoked certificate."""
    for other in credential.with_key(session, hashlib.sha256(content.spki).hexdigest()):
        if other.state != CredentialState.GOOD:
            detail = f"the key belongs to the {other.state} certificate {other.serial}"
            raise RevokedKey(detail, hint="make a new key with `guosuo cert csr`")
        if (other.holder_kind, other.holder) != (request.holder_kind.value, request.holder):
            raise ReusedKey("the key belongs to somebody else's certificate", hint="make a key of your own")


def _extensions(
    admitted: _Admitted, authority: Issuer, public_url: str, serial: Serial
) -> list[tuple[x509.ExtensionType, bool]]:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    request = admitted.request
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage(list(admitted.profile.usages)), False),
        (names.alternative_names(admitted.holder, request.dns_names, request.ip_addresses), False),
        (x509.SubjectKeyIdentifier.from_public_key(admitted.content.key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key), False),
        (pointers.distribution(public_url, ISSUING, pointers.shard(serial)), False),
        (pointers.access(public_url, ISSUING), False),
    ]
