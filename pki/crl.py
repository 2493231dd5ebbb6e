"""Certificate revocation lists (RFC 5280, 5): a number first, then the signatures, then the octets.

A revocation encodes its entry and names its shard; here a shard is one read, one join, one hash and one signature. Each
list is signed only after its digest is on record, under a number that is never used again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from sqlmodel import Session, col, delete, select, update

from core.clock import Clock
from core.database import Database
from core.ledger import evidence
from hsm.client import SignerClient
from pki import events, issuer, listing, plan
from pki.errors import NotEstablished
from pki.issuer import Issuer, is_sharded
from pki.listing import Known, Listing, Round
from pki.models import Authority, CrlList, CrlPublication, RevocationChange
from pki.settings import PkiSettings
from pki.tbslist import FULL, Frame

#: A change stays for so long at least.
_FOLLOWED = timedelta(minutes=1)

#: What is read back before it is published. A longer list is made of shards that were.
_READ_BACK = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed list (DER), and where in it the entries are."""

    scope: str
    base: int | None
    content: bytes
    start: int
    length: int


class CrlPublisher:
    """Publishes the lists of every root and issuing authority that may still be asked about."""

    def __init__(self, *, database: Database, keys: SignerClient, clock: Clock, settings: PkiSettings) -> None:
        """``settings.crl_hours`` is how long a list is valid; it is renewed at half of that."""
        self._database = database
        self._keys = keys
        self._clock = clock
        self._settings = settings
        self._lifetime = timedelta(hours=settings.crl_hours)

    def refresh(self, *, force: bool = False) -> list[int]:
        """Publish each list that lacks a change or is past its half-life (or all); return the numbers that were used.

        One number for an authority, whatever lists of it are published.
        """
        with self._database.read() as session:
            names = plan.listed(session, self._now())
        wanted = {name: listing.scopes(name) if force else () for name in names}
        return [number for name in wanted if (number := self.publish(name, wanted[name])) is not None]

    def is_due(self) -> bool:
        """Say whether there is something to publish; asks the store only."""
        now = self._now()
        with self._database.read() as session:
            return any(listing.due(session, name, now, self._lifetime) for name in plan.listed(session, now))

    def current(self, name: str, scope: str = FULL) -> bytes:
        """Return the newest published list of a scope (DER). Raises ``NotEstablished``."""
        with self._database.read() as session:
            return newest(session, name, scope)[1]

    def _now(self) -> datetime:
        return self._clock.now().replace(microsecond=0)

    def publish(self, name: str, wanted: Sequence[str] = ()) -> int | None:
        """Publish the lists of these scopes, or what is due, and return their number; nothing when nothing was due."""
        now = self._now()
        with self._database.read() as session:
            if not wanted and not listing.due(session, name, now, self._lifetime):
                return None
            authority = issuer.load(session, name, self._keys)
        # Asked first: while it does not answer, every look at what is due would use a number for nothing.
        self._keys.health()
        with self._database.write() as session:
            # One at a time for each authority, or two would take the same number (SQLite: by the write lock).
            session.get_one(Authority, name, with_for_update=True)
            taken = self._prepare(session, authority, now, wanted)
        if taken is None:
            return None
        # A crash here leaves a number that is never used again: the next publication takes the next.
        # Each goes as soon as it is signed: a long one is not held twice.
        made = [_sign(authority, taken.listings.pop()) for _ in range(len(taken.listings))]
        # A crash here leaves signed lists that nobody saw.
        with self._database.write() as session:
            self._conclude(session, name, taken, made)
        # A crash here leaves published lists whose number nobody was told: they are served from the store.
        return taken.number

    def _prepare(self, session: Session, authority: Issuer, now: datetime, wanted: Sequence[str]) -> Round | None:
        frame, url = Frame.of(authority.certificate), self._settings.public_url
        return listing.prepare(session, authority.name, frame, url, now=now, lifetime=self._lifetime, wanted=wanted)

    def _conclude(self, session: Session, name: str, taken: Round, made: list[Signed]) -> None:
        # Held, so that whoever finishes later finds the newer list, and leaves it.
        session.get_one(Authority, name, with_for_update=True)
        at = self._clock.now()
        kept = _keep(session, name, taken.number, made)
        publication = session.get(CrlPublication, (name, taken.number))
        if not kept or publication is None:
            # Overtaken: whoever took a later number saw that nobody told these changes yet, and told them.
            return
        publication.published_at = at
        session.add(publication)
        bases = [one.base for one in kept if one.base is not None]
        if bases or not is_sharded(name):
            # Every delta has these behind it, and whoever follows the changes (``feed.py``) has seen them.
            told = col(RevocationChange.number) <= min(bases, default=taken.number)
            seen = col(RevocationChange.at) < at - _FOLLOWED
            session.connection().execute(delete(RevocationChange).where(RevocationChange.issuer == name, told, seen))  # type: ignore[arg-type]  # a column
        event = events.crl_published(name, taken.number, publication.entries, len(kept))
        evidence.append(session, event, at=at)


def find(session: Session, name: str, scope: str = FULL) -> Known:
    """Return what is known of the newest published list of a scope. Raises ``NotEstablished``."""
    known = listing.newest(session, name, scope).get(scope)
    if known is None:
        raise _missing(name, scope)
    return known


def newest(session: Session, name: str, scope: str = FULL) -> tuple[Known, bytes]:
    """Return the newest published list of a scope with its octets (DER). Raises ``NotEstablished``.

    Read at once: between two statements another may be published, and the one before it goes.
    """
    published = CrlList.issuer == name, CrlList.scope == scope, col(CrlList.der).is_not(None)
    found = session.exec(select(CrlList).where(*published).order_by(col(CrlList.number).desc()).limit(1)).first()
    if found is None or found.der is None:
        raise _missing(name, scope)
    return Known(found.number, found.this_update, found.next_update, found.entries, found.base), found.der


def _missing(name: str, scope: str) -> NotEstablished:
    return NotEstablished(f"there is no {'list' if scope == FULL else f'list `{scope}`'} of `{name}`")


def _sign(authority: Issuer, one: Listing) -> Signed:
    """Sign a list. Raises ``BrokenProof``, ``NotEstablished``."""
    content, start = one.tbs.signed(authority.sign_digest(one.digest))
    if len(content) <= _READ_BACK:
        # Read back with another implementation before anybody gets it.
        loaded = x509.load_der_x509_crl(content)
        if not loaded.is_signature_valid(authority.public_key) or len(loaded) != one.entries:
            raise NotEstablished("the list that came out does not verify; it is not published")
    return Signed(one.scope, one.base, content, start, len(one.tbs.entries))


def _keep(session: Session, name: str, number: int, made: list[Signed]) -> list[Signed]:
    """Keep each list as the newest of its scope, and return those that were kept.

    The older ones go, and so does one that has a newer already.
    """
    connection, newest = session.connection(), listing.newest(session, name)
    late = {one.scope for one in made if (found := newest.get(one.scope)) and found.number > number}
    of_name, age = col(CrlList.issuer) == name, col(CrlList.number)
    for one in made:
        if one.scope not in late:
            row = (of_name, col(CrlList.scope) == one.scope, age == number)
            content = {"der": one.content, "start": one.start, "length": one.length}
            connection.execute(update(CrlList).where(*row).values(content))
    connection.execute(delete(CrlList).where(of_name, col(CrlList.scope).in_(late), age == number))
    kept = [one for one in made if one.scope not in late]
    # What another publisher is about to sign stays on record, until nobody can be about to sign it (``listing``).
    old = (age < number) & col(CrlList.der).is_not(None)
    connection.execute(delete(CrlList).where(of_name, col(CrlList.scope).in_([one.scope for one in kept]), old))
    return kept
