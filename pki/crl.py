"""Certificate revocation lists (RFC 5280, 5): a number first, then the signature, then the octets.

Entries are encoded when they are revoked, so a list is one join, one hash and one signature, however long it is.
"""

from datetime import datetime, timedelta

from cryptography import x509
from sqlmodel import Session, col, func, select

from core.clock import Clock
from core.database import Database
from core.ledger import evidence
from hsm.client import SignerClient
from pki import der, events, issuer
from pki.errors import NotEstablished
from pki.issuer import ISSUING, ROOT, Issuer
from pki.models import Authority, CrlPublication, Revocation
from pki.settings import PkiSettings

#: OBJECT IDENTIFIERs id-ce-authorityKeyIdentifier and id-ce-cRLNumber.
_AUTHORITY_KEY, _NUMBER = bytes.fromhex("0603551d23"), bytes.fromhex("0603551d14")


class CrlPublisher:
    """Publishes the lists of the root and the issuing authority."""

    def __init__(self, *, database: Database, keys: SignerClient, clock: Clock, settings: PkiSettings) -> None:
        """``settings.crl_hours`` is how long a list is valid; it is renewed at half of that."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._lifetime = timedelta(hours=settings.crl_hours)

    def refresh(self, *, force: bool = False) -> list[int]:
        """Publish each list that lacks a revocation or is past its half-life (or all); return their numbers."""
        return [number for name in (ROOT, ISSUING) if (number := self._refresh(name, force=force)) is not None]

    def current(self, name: str) -> bytes:
        """Return the newest published list (DER). Raises ``NotEstablished``."""
        with self._database.read() as session:
            newest = _newest(session, name)
        if newest is None or newest.der is None:
            raise NotEstablished(f"there is no list of `{name}`")
        return newest.der

    def _refresh(self, name: str, *, force: bool) -> int | None:
        now = self._clock.now().replace(microsecond=0)
        with self._database.read() as session:
            if not force and not self._is_due(session, name, now):
                return None
            authority = issuer.load(session, name, self._keys)
        with self._database.write() as session:
            # One at a time for each authority, or two would take the same number (SQLite: by the write lock).
            session.get_one(Authority, name, with_for_update=True)
            number = (session.exec(select(func.max(CrlPublication.number)).where(_of(name))).one() or 0) + 1
            # Entries are read in the transaction that takes the number: a higher number never lists fewer of them.
            rows = session.exec(select(Revocation).where(Revocation.issuer == name).order_by(col(Revocation.at)))
            entries = [row.entry for row in rows]
            until = now + self._lifetime
            session.add(
                CrlPublication(issuer=name, number=number, this_update=now, next_update=until, entries=len(entries))
            )
        # A crash here leaves a number that is never used again: the next list takes the next.
        to_be_signed = encode(authority, number, now, until, entries)
        content = der.signed(to_be_signed, authority.sign_octets(to_be_signed))
        _check(authority, content)
        # A crash here leaves a signed list that nobody saw.
        with self._database.write() as session:
            publication = session.get_one(CrlPublication, (name, number))
            publication.der = content
            session.add(publication)
            evidence.append(session, events.crl_published(name, number, len(entries)), at=self._clock.now())
        # A crash here leaves a published list whose number nobody was told: it is served from the store.
        return number

    def _is_due(self, session: Session, name: str, now: datetime) -> bool:
        newest = _newest(session, name)
        if newest is None or newest.next_update - now <= self._lifetime / 2:
            return True
        revoked = session.exec(select(func.count()).select_from(Revocation).where(Revocation.issuer == name)).one()
        return revoked != newest.entries


def encode(authority: Issuer, number: int, this_update: datetime, next_update: datetime, entries: list[bytes]) -> bytes:
    """Return the to-be-signed list (RFC 5280, 5.1.2); no revokedCertificates at all when there is none."""
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key).public_bytes()
    extensions = der.encode(
        der.SEQUENCE, der.extension(_AUTHORITY_KEY, key), der.extension(_NUMBER, der.integer(number))
    )
    return der.encode(
        der.SEQUENCE,
        der.integer(1),
        der.ECDSA_WITH_SHA256,
        authority.certificate.subject.public_bytes(),
        der.time(this_update),
        der.time(next_update),
        der.encode(der.SEQUENCE, der.join(entries)) if entries else b"",
        der.encode(0xA0, extensions),
    )


def _check(authority: Issuer, content: bytes) -> None:
    """Read the list back with another implementation before anybody gets it."""
    loaded = x509.load_der_x509_crl(content)
    if not loaded.is_signature_valid(authority.public_key):
        raise NotEstablished("the list that came out does not verify; it is not published")


def _newest(session: Session, name: str) -> CrlPublication | None:
    statement = select(CrlPublication).where(_of(name), col(CrlPublication.der).is_not(None))
    return session.exec(statement.order_by(col(CrlPublication.number).desc()).limit(1)).first()


def _of(name: str) -> bool:
    return CrlPublication.issuer == name
