"""The hierarchy: roots, issuing authorities, OCSP responders, time-stamp authority, CMP; their keys are in the token.

Idempotent, goes on after a crash.

An issuing authority's own key signs its CRLs: a separate CRL key would need extended CRL support at every relying
party (OpenSSL's X509_V_FLAG_EXTENDED_CRL_SUPPORT), which nginx and others do not switch on.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from sqlmodel import Session, col, select, update

from core.clock import Clock
from core.database import Database
from core.identity import SITE, Serial
from core.ledger import evidence
from hsm.client import SignerClient
from pki import events, issuer, making, plan, pointers, tbs
from pki.issuer import CMP, ISSUING, OCSP, ROOT, TSA, Issuer
from pki.making import Making
from pki.models import Authority, AuthorityPlan, IssuanceIntent
from pki.settings import PkiSettings
from pki.tbs import AuthorityContent, Prepared, Press

#: The responder's certificate is renewed so long before its end.
RENEWAL = timedelta(days=30)

#: A certificate is good a little before it was made: nobody's clock is exact.
_BACKDATED = timedelta(minutes=1)

#: How long a time-stamp authority's key signs; the next generation has another.
STAMPING = timedelta(days=365)

#: What a site is founded with, in this order.
_FOUNDED = (ROOT, ISSUING, OCSP, f"{TSA}-1", CMP)

#: Who makes what comes with the site.
FOUNDER = "founding"


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


def make_planned(
    database: Database, keys: SignerClient, clock: Clock, random: Callable[[int], bytes], settings: PkiSettings
) -> list[str]:
    """Make what two people agreed on and is not made yet; return the names. A second run goes on where one stopped."""
    with database.read() as session:
        wanted = [(step, _approver(session, one.name)) for one, step in plan.unfinished(session)]
    for name, actor in wanted:
        _Establishment(database, keys, clock, random, settings, Press(), actor).make(name)
    return [name for name, _actor in wanted]


def renew_responder(
    database: Database, keys: SignerClient, clock: Clock, random: Callable[[int], bytes], settings: PkiSettings
) -> bool:
    """Give each responder another certificate over its key when the present one ends soon; say whether any got one.

    Nobody asks about a responder's certificate (id-pkix-ocsp-nocheck), so all that ends it is its last day: that day
    must never come, but for an authority that has no list any more either.
    """
    with database.read() as session:
        due = [name for name in responders(session, clock.now()) if _ends_soon(session, name, clock.now())]
    for name in due:
        _Establishment(database, keys, clock, random, settings, Press()).make(name)
    return bool(due)


def responders(session: Session, now: datetime) -> list[str]:
    """Return the responders that answer now: of every issuing authority that may still be asked about."""
    names = [plan.responder(name) for name in plan.listed(session, now) if plan.kind_of(name) == ISSUING]
    return [name for name in names if session.get(Authority, name) is not None]


def _ends_soon(session: Session, name: str, now: datetime) -> bool:
    present = x509.load_der_x509_certificate(issuer.get(session, name).der).not_valid_after_utc
    above = x509.load_der_x509_certificate(issuer.get(session, issuer.get(session, name).issuer).der)
    # It ends with its authority, and nothing is gained by another one then.
    return present - now <= RENEWAL and present < above.not_valid_after_utc


def _approver(session: Session, name: str) -> str:
    return session.exec(select(AuthorityPlan.approver).where(AuthorityPlan.name == name)).one()


@dataclass(frozen=True, slots=True)
class _Establishment:
    database: Database
    keys: SignerClient
    clock: Clock
    random: Callable[[int], bytes]
    settings: PkiSettings
    press: Press
    actor: str = FOUNDER

    def make(self, name: str) -> None:
        """Make one authority: key, intention, signature, outcome."""
        with self.database.read() as session:
            # Whoever is certified by the default authority is so by the newest that serves.
            plans = plan.serving(session) if plan.kind_of(name) in (TSA, CMP) else plan.every(session)
            made = making.of(name, plans, self.settings)
        spki = self._key(made)
        # A crash here leaves a key in the token and its inventory: the same request again returns it.
        prepared = self.press.prepare_authority(self._content(spki, made))
        self._intend(made, prepared)
        # A crash here leaves a known serial number without a signature; ``resume`` revokes it.
        der = self._sign(spki, made, prepared)
        # A crash here leaves a signed certificate that nobody saw, under a known serial number: as above.
        with self.database.write() as session:
            intent = session.get_one(IssuanceIntent, prepared.serial)
            intent.state = "issued"
            session.add(intent)
            row = Authority(name=name, key=made.label, serial=prepared.serial, der=der, issuer=made.signer)
            event = events.authority_made(row, hashlib.sha256(spki).hexdigest(), actor=self.actor)
            enter(session, row)
            evidence.append(session, event, at=self.clock.now())
        # A crash here leaves a finished authority: whoever makes the others goes on with the next one.

    def _intend(self, made: Making, prepared: Prepared) -> None:
        intent = IssuanceIntent(
            serial=prepared.serial,
            issuer=made.signer,
            profile="authority",
            holder_kind="authority",
            holder=made.name,
            domain=SITE,
            actor=self.actor,
            at=self.clock.now(),
            tbs=prepared.tbs,
        )
        with self.database.write() as session:
            session.add(intent)
            evidence.append(session, events.intended(intent), at=intent.at)

    def _key(self, made: Making) -> bytes:
        """Return the key that is certified (DER SubjectPublicKeyInfo), made in the token when it is to be ours."""
        if made.other is not None:
            return made.other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return self.keys.generate(made.label, made.algorithm, made.purpose).spki

    def _sign(self, spki: bytes, made: Making, prepared: Prepared) -> bytes:
        if not made.is_self_signed:
            return self._signer(made).sign(self.press, prepared, request=prepared.request)
        key = issuer.as_p256(load_der_public_key(spki))
        octets = self.press.redeem(prepared, request=prepared.request)
        return tbs.assemble(octets, issuer.sign_with(self.keys, made.label, octets), key)

    def _signer(self, made: Making) -> Issuer:
        with self.database.read() as session:
            return issuer.load(session, made.signer, self.keys)

    def _content(self, spki: bytes, made: Making) -> AuthorityContent:
        identifier = _identifier(spki, made)
        start = self.clock.now().replace(microsecond=0)
        # A validity period includes its last second (RFC 5280, 4.1.2.5).
        end = start + made.lifetime - timedelta(seconds=1)
        above, authority = made.subject, x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        if not made.is_self_signed:
            signer = self._signer(made)
            above, end = signer.certificate.subject, min(end, signer.certificate.not_valid_after_utc)
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key)
        begun, end = self._certified(made, start - _BACKDATED, end)
        serial = issuer.new_serial(self.random)
        return AuthorityContent(
            serial=serial,
            issuer=above,
            subject=made.subject,
            not_before=begun,
            not_after=end,
            spki=spki,
            extensions=[
                *made.extensions,
                (identifier, False),
                (authority, False),
                *(self._stamping(serial, start, end, made.signer) if made.kind == TSA else ()),
                *(self._listed(serial, made.signer) if made.kind == CMP else ()),
            ],
        )

    def _certified(self, made: Making, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Return the validity; the old key by the new has the old certificate's own (RFC 4210, 4.4.1)."""
        if made.other is not None:
            return start, min(end, made.other.not_valid_after_utc)
        with self.database.read() as session:
            own = session.get(Authority, made.of) if made.of != made.name else None
        if own is None:
            return start, end
        certificate = x509.load_der_x509_certificate(own.der)
        return certificate.not_valid_before_utc, min(end, certificate.not_valid_after_utc)

    def _stamping(
        self, serial: Serial, start: datetime, end: datetime, signer: str
    ) -> Sequence[tuple[x509.ExtensionType, bool]]:
        """Until when the key signs (X.509, 9.2.2.5), and where it would be read that it was revoked."""
        period = x509.PrivateKeyUsagePeriod(start - _BACKDATED, min(start + STAMPING - timedelta(seconds=1), end))
        return [(period, False), *self._listed(serial, signer)]

    def _listed(self, serial: Serial, signer: str) -> Sequence[tuple[x509.ExtensionType, bool]]:
        return [(pointers.distribution(self.settings.public_url, signer, pointers.shard(serial)), False)]


def _identifier(spki: bytes, made: Making) -> x509.SubjectKeyIdentifier:
    """Return the key identifier; of another installation's root the one by which its own children name it."""
    if made.other is not None:
        return made.other.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.SubjectKeyIdentifier.from_public_key(issuer.as_p256(load_der_public_key(spki)))


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
