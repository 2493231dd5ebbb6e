"""The hierarchy: root, issuing authority and OCSP responder, with keys in the token. Idempotent, goes on after a crash.

The issuing authority's own key signs its CRLs: a separate CRL key would need extended CRL support at every relying
party (OpenSSL's X509_V_FLAG_EXTENDED_CRL_SUPPORT), which nginx and others do not switch on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlmodel import Session, col, update

from core.clock import Clock
from core.database import Database
from core.identity import SITE
from core.ledger import evidence
from hsm.client import SignerClient
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from pki import events, issuer, tbs
from pki.issuer import ISSUING, OCSP, ROOT, Issuer
from pki.models import Authority, IssuanceIntent
from pki.settings import PkiSettings
from pki.tbs import AuthorityContent, Prepared, Press

Extensions = Sequence[tuple[x509.ExtensionType, bool]]

_YEAR = timedelta(days=365)
_KEYS = {ROOT: ("root-ca", KeyPurpose.CA), ISSUING: ("issuing-ca", KeyPurpose.CA), OCSP: ("ocsp", KeyPurpose.OCSP)}
_LIFETIMES = {ROOT: 10 * _YEAR, ISSUING: 5 * _YEAR, OCSP: _YEAR}

#: The responder's certificate is renewed so long before its end.
RENEWAL = timedelta(days=30)

_SIGNED_BY = {ROOT: ROOT, ISSUING: ROOT, OCSP: ISSUING}


def establish(
    database: Database, keys: SignerClient, clock: Clock, random: Callable[[int], bytes], settings: PkiSettings
) -> None:
    """Make whatever of root, issuing authority and responder is not there yet."""
    work = _Establishment(database, keys, clock, random, settings, Press())
    for name in _KEYS:
        with database.read() as session:
            if session.get(Authority, name) is not None:
                continue
        work.make(name)


def renew_responder(
    database: Database, keys: SignerClient, clock: Clock, random: Callable[[int], bytes], settings: PkiSettings
) -> bool:
    """Give the responder another certificate over its key when the present one ends soon; say whether it did.

    Nobody asks about a responder's certificate (id-pkix-ocsp-nocheck), so all that ends it is its last day: that day
    must never come.
    """
    with database.read() as session:
        present = x509.load_der_x509_certificate(issuer.get(session, OCSP).der)
    if present.not_valid_after_utc - clock.now() > RENEWAL:
        return False
    _Establishment(database, keys, clock, random, settings, Press()).make(OCSP)
    return True


@dataclass(frozen=True, slots=True)
class _Establishment:
    database: Database
    keys: SignerClient
    clock: Clock
    random: Callable[[int], bytes]
    settings: PkiSettings
    press: Press

    def make(self, name: str) -> None:
        """Make one authority: key, intention, signature, outcome."""
        label, purpose = _KEYS[name]
        info = self.keys.generate(label, KeyAlgorithm.P256, purpose)
        # A crash here leaves a key in the token and its inventory: the same request again returns it.
        prepared = self.press.prepare_authority(self._content(info, name))
        self._intend(name, prepared)
        # A crash here leaves a known serial number without a signature; ``resume`` revokes it.
        der = self._sign(info, name, prepared)
        # A crash here leaves a signed certificate that nobody saw, under a known serial number: as above.
        with self.database.write() as session:
            intent = session.get_one(IssuanceIntent, prepared.serial)
            intent.state = "issued"
            session.add(intent)
            enter(session, Authority(name=name, key=label, serial=prepared.serial, der=der))
            event = events.authority_made(name, prepared.serial, label, info.spki_sha256, der)
            evidence.append(session, event, at=self.clock.now())
        # A crash here leaves a finished authority: ``establish`` goes on with the next one.

    def _intend(self, name: str, prepared: Prepared) -> None:
        intent = IssuanceIntent(
            serial=prepared.serial,
            issuer=_SIGNED_BY[name],
            profile="authority",
            holder_kind="authority",
            holder=name,
            domain=SITE,
            actor="founding",
            at=self.clock.now(),
            tbs=prepared.tbs,
        )
        with self.database.write() as session:
            session.add(intent)
            evidence.append(session, events.intended(intent), at=intent.at)

    def _sign(self, info: KeyInfo, name: str, prepared: Prepared) -> bytes:
        if name != ROOT:
            return self._signer(name).sign(self.press, prepared, request=prepared.request)
        key = issuer.as_p256(load_der_public_key(info.spki))
        octets = self.press.redeem(prepared, request=prepared.request)
        return tbs.assemble(octets, issuer.sign_with(self.keys, info.label, octets), key)

    def _signer(self, name: str) -> Issuer:
        with self.database.read() as session:
            return issuer.load(session, _SIGNED_BY[name], self.keys)

    def _content(self, info: KeyInfo, name: str) -> AuthorityContent:
        subject = _name(self.settings, name)
        identifier = x509.SubjectKeyIdentifier.from_public_key(issuer.as_p256(load_der_public_key(info.spki)))
        above, authority = subject, x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        if name != ROOT:
            signer = self._signer(name)
            above = signer.certificate.subject
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key)
        start = self.clock.now().replace(microsecond=0)
        return AuthorityContent(
            serial=issuer.new_serial(self.random),
            issuer=above,
            subject=subject,
            not_before=start - timedelta(minutes=1),
            # A validity period includes its last second (RFC 5280, 4.1.2.5).
            not_after=start + _LIFETIMES[name] - timedelta(seconds=1),
            spki=info.spki,
            extensions=[*_EXTENSIONS[name], (identifier, False), (authority, False)],
        )


def _name(settings: PkiSettings, name: str) -> x509.Name:
    titles = {ROOT: "Root CA", ISSUING: "Issuing CA", OCSP: "OCSP Responder"}
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{settings.organisation} {titles[name]}"),
        ]
    )


def _usage(*, sign: bool = False, certificates: bool = False, crls: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=crls,
        encipher_only=False,
        decipher_only=False,
    )


_AUTHORITY_USAGE = (_usage(certificates=True, crls=True), True)

_EXTENSIONS: dict[str, Extensions] = {
    ROOT: [(x509.BasicConstraints(ca=True, path_length=1), True), _AUTHORITY_USAGE],
    ISSUING: [(x509.BasicConstraints(ca=True, path_length=0), True), _AUTHORITY_USAGE],
    OCSP: [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(sign=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
        # Whoever checks an answer need not ask about its signer (RFC 6960, 4.2.2.2.1).
        (x509.OCSPNoCheck(), False),
    ],
}


def enter(session: Session, made: Authority) -> None:
    """Enter an authority's certificate; one that it had before stays under a name of its own."""
    before = session.get(Authority, made.name)
    if before is not None:
        session.expunge(before)
        past = f"{made.name}-{before.serial}"[:40]
        session.connection().execute(update(Authority).where(col(Authority.name) == made.name).values(name=past))
    session.add(made)
    session.flush()


def pem_chain(database: Database) -> str:
    """Return the root's and the issuing authority's certificates in PEM, the root first."""
    with database.read() as session:
        rows = [issuer.get(session, name) for name in (ROOT, ISSUING)]
    certificates = [x509.load_der_x509_certificate(row.der) for row in rows]
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)
