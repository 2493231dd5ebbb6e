"""The hierarchy: root, issuing authority, OCSP responder, time-stamp authority, CMP; their keys are in the token.

Idempotent, goes on after a crash.

The issuing authority's own key signs its CRLs: a separate CRL key would need extended CRL support at every relying
party (OpenSSL's X509_V_FLAG_EXTENDED_CRL_SUPPORT), which nginx and others do not switch on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlmodel import Session, col, update

from core.clock import Clock
from core.database import Database
from core.identity import SITE, Serial
from core.ledger import evidence
from hsm.client import SignerClient
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from pki import events, issuer, pointers, tbs
from pki.issuer import CMP, ISSUING, OCSP, ROOT, TSA, Issuer
from pki.models import Authority, IssuanceIntent
from pki.settings import PkiSettings
from pki.tbs import AuthorityContent, Prepared, Press

Extensions = Sequence[tuple[x509.ExtensionType, bool]]

_YEAR = timedelta(days=365)
_KEYS = {
    ROOT: ("root-ca", KeyPurpose.CA),
    ISSUING: ("issuing-ca", KeyPurpose.CA),
    OCSP: ("ocsp", KeyPurpose.OCSP),
    TSA: (TSA, KeyPurpose.TSA),
    CMP: (CMP, KeyPurpose.CMP),
}

#: A token is verified long after it was made: its authority's certificate lasts as long as its issuer's lets it.
_LIFETIMES = {ROOT: 10 * _YEAR, ISSUING: 5 * _YEAR, OCSP: _YEAR, TSA: 5 * _YEAR, CMP: _YEAR}

#: The responder's certificate is renewed so long before its end.
RENEWAL = timedelta(days=30)

_SIGNED_BY = {ROOT: ROOT, ISSUING: ROOT, OCSP: ISSUING, TSA: ISSUING, CMP: ISSUING}

#: A certificate is good a little before it was made: nobody's clock is exact.
_BACKDATED = timedelta(minutes=1)

#: How long a time-stamp authority's key signs; the next generation has another.
STAMPING = _YEAR

#: What a site is founded with, in this order.
_FOUNDED = (ROOT, ISSUING, OCSP, f"{TSA}-1", CMP)


def establish(
    database: Database, keys: SignerClient, clock: Clock, random: Callable[[int], bytes], settings: PkiSettings
) -> None:
    """Make whatever of root, issuing authority, responder and time-stamp authority is not there yet."""
    for name in _FOUNDED:
        with database.read() as session:
            if session.get(Authority, name) is not None:
                continue
        make(name, database, keys, clock, random=random, settings=settings)


def make(
    name: str,
    database: Database,
    keys: SignerClient,
    clock: Clock,
    *,
    random: Callable[[int], bytes],
    settings: PkiSettings,
) -> None:
    """Make one authority under those that are there; ``tsa-2`` is the second generation of the time-stamp authority."""
    _Establishment(database, keys, clock, random, settings, Press()).make(name)


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
        label, purpose = _key(name)
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
            issuer=_SIGNED_BY[_kind(name)],
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
            return issuer.load(session, _SIGNED_BY[_kind(name)], self.keys)

    def _content(self, info: KeyInfo, name: str) -> AuthorityContent:
        subject = _name(self.settings, name)
        identifier = x509.SubjectKeyIdentifier.from_public_key(issuer.as_p256(load_der_public_key(info.spki)))
        start = self.clock.now().replace(microsecond=0)
        # A validity period includes its last second (RFC 5280, 4.1.2.5).
        end = start + _LIFETIMES[_kind(name)] - timedelta(seconds=1)
        above, authority = subject, x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        if name != ROOT:
            signer = self._signer(name)
            above, end = signer.certificate.subject, min(end, signer.certificate.not_valid_after_utc)
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key)
        serial = issuer.new_serial(self.random)
        return AuthorityContent(
            serial=serial,
            issuer=above,
            subject=subject,
            not_before=start - _BACKDATED,
            not_after=end,
            spki=info.spki,
            extensions=[
                *_EXTENSIONS[_kind(name)],
                (identifier, False),
                (authority, False),
                *(self._stamping(serial, start, end) if _kind(name) == TSA else ()),
                *(self._listed(serial) if _kind(name) == CMP else ()),
            ],
        )

    def _stamping(self, serial: Serial, start: datetime, end: datetime) -> Extensions:
        """Until when the key signs (X.509, 9.2.2.5), and where it would be read that it was revoked."""
        period = x509.PrivateKeyUsagePeriod(start - _BACKDATED, min(start + STAMPING - timedelta(seconds=1), end))
        return [(period, False), *self._listed(serial)]

    def _listed(self, serial: Serial) -> Extensions:
        return [(pointers.distribution(self.settings.public_url, ISSUING, pointers.shard(serial)), False)]


def _kind(name: str) -> str:
    """Return what kind of authority: of ``tsa-2`` it is ``tsa``."""
    return name.partition("-")[0]


def _key(name: str) -> tuple[str, KeyPurpose]:
    """Return the label and purpose of an authority's key; each generation has one of its own."""
    label, purpose = _KEYS[_kind(name)]
    return label + name.removeprefix(_kind(name)), purpose


def _name(settings: PkiSettings, name: str) -> x509.Name:
    titles = {ROOT: "Root CA", ISSUING: "Issuing CA", OCSP: "OCSP Responder", TSA: "Time-Stamp Authority"}
    titles[CMP] = "CMP Server"
    generation = name.removeprefix(_kind(name)).replace("-", " ")
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{settings.organisation} {titles[_kind(name)]}{generation}"),
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
    TSA: [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(sign=True), True),
        # Critical, and the only one (RFC 3161, 2.3).
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True),
    ],
    CMP: [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(sign=True), True),
        # id-kp-cmcCA: speaks for the authority that issued it (RFC 9810, 4.5; RFC 6402, 2.10).
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.27")]), False),
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
