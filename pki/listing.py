"""Which lists an authority owes now, and what stands in each: decided in the transaction that takes their number.

A shard is read from its rows; the full list is joined from the shards as they were published, so that a list of a
million entries costs no row; a delta tells the changes since its base (RFC 5280, 5.2.4).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, union_all
from sqlmodel import Session, col, delete, func, insert, or_, select, update

from pki import tbslist
from pki.issuer import is_sharded
from pki.models import CertificateHold, CrlList, CrlPublication, Revocation, RevocationChange
from pki.pointers import SHARDS
from pki.tbslist import DELTA, FULL, Frame, ToBeSigned

#: A delta that tells more than so many changes gets a newer base.
LONGEST_DELTA = 10_000

#: A number under which nothing was published so many numbers later never tells anything: who takes so long is dead.
_FORGOTTEN = 100

#: More changes than these since the full list, and the next one does not wait longer than a moment.
_MANY, _MOMENT = 50_000, timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Known:
    """The newest list of a scope, without its octets."""

    number: int
    this_update: datetime
    next_update: datetime
    entries: int
    base: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One list to be signed, with its digest; ``base`` is a delta's."""

    scope: str
    tbs: ToBeSigned
    digest: bytes
    entries: int
    base: int | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What one number is taken for."""

    number: int
    until: datetime
    listings: list[Listing]


def pause(entries: int) -> timedelta:
    """Return how long a full list of so many entries stands: one that is short follows every change at once."""
    return timedelta(seconds=entries // 2_000)


def scopes(name: str) -> tuple[str, ...]:
    """Return the scopes of an authority's lists: the root revokes so little that its full list is enough."""
    return (*map(str, range(SHARDS)), FULL, DELTA) if is_sharded(name) else (FULL,)


def newest(session: Session, name: str, scope: str = "") -> dict[str, Known]:
    """Return the newest published list of each scope, or of one."""
    rows = select(  # type: ignore[call-overload]  # six columns
        CrlList.scope, CrlList.number, CrlList.this_update, CrlList.next_update, CrlList.entries, CrlList.base
    ).where(CrlList.issuer == name, col(CrlList.der).is_not(None))
    if scope:
        rows = rows.where(CrlList.scope == scope)
    return {row[0]: Known(*row[1:]) for row in session.exec(rows.order_by(CrlList.number))}


def due(session: Session, name: str, now: datetime, lifetime: timedelta) -> list[str]:
    """Return the scopes that lack a change or are past their half-life."""
    dirty = set(session.exec(select(RevocationChange.shard).where(*untold(name)).distinct()))
    return _due(session, name, now, lifetime, dirty)


def _due(session: Session, name: str, now: datetime, lifetime: timedelta, dirty: set[int]) -> list[str]:
    known = newest(session, name)
    wanted = [one for one in scopes(name) if one not in known or known[one].next_update - now <= lifetime / 2]
    wanted += [str(shard) for shard in dirty if is_sharded(name)]
    if FULL in known and _lags(session, name, known, dirty, now):
        wanted.append(FULL)
    if is_sharded(name) and (dirty or FULL in wanted):
        wanted.append(DELTA)
    return list(dict.fromkeys(wanted))


def _lags(session: Session, name: str, known: Mapping[str, Known], dirty: set[int], now: datetime) -> bool:
    """Whether the full list lacks a change and has stood for long enough."""
    full, delta = known[FULL], known.get(DELTA)
    later = select(RevocationChange.id).where(
        RevocationChange.issuer == name, col(RevocationChange.number) > full.number
    )
    if not dirty and session.exec(later.limit(1)).first() is None:
        return False
    # The root has no other list that could tell the change meanwhile.
    stands = pause(full.entries) if is_sharded(name) else timedelta(0)
    if delta is not None and delta.entries > _MANY:
        stands = min(stands, _MOMENT)
    return now - full.this_update >= stands


def prepare(
    session: Session,
    name: str,
    frame: Frame,
    public_url: str,
    *,
    now: datetime,
    lifetime: timedelta,
    wanted: Sequence[str],
) -> Round | None:
    """Take the next number and record what is to be signed under it: ``wanted`` and what is due, if anything is.

    The caller holds the authority's row: a higher number never tells less than a lower one.
    """
    until = now + lifetime
    number = (session.exec(select(func.max(CrlPublication.number)).where(CrlPublication.issuer == name)).one() or 0) + 1
    # Taken before it is decided which lists are made, and before any entry is read: what is marked as told by this
    # number is in its lists, whatever is revoked meanwhile (PostgreSQL shows each statement what was committed then).
    taken = update(RevocationChange).where(*untold(name)).values(number=number).returning(col(RevocationChange.shard))
    dirty = set(session.connection().execute(taken).scalars())
    wanted = list(dict.fromkeys((*wanted, *_due(session, name, now, lifetime, dirty))))
    if not wanted:
        return None
    _forget(session, name, number - _FORGOTTEN)
    made = list(_Composer(session, name, frame, public_url, number, (now, until)).listings(wanted, lifetime))
    entries = _total(session, name, made)
    session.add(CrlPublication(issuer=name, number=number, this_update=now, next_update=until, entries=entries))
    session.flush()
    intentions = [_intention(name, number, (now, until), one) for one in made]
    session.connection().execute(insert(CrlList), intentions)
    return Round(number, until, made)


def _forget(session: Session, name: str, before: int) -> None:
    """Drop numbers under which nothing was published: no change waits for them, the later ones took them over."""
    number, unseen = col(CrlPublication.number), col(CrlPublication.published_at).is_(None)
    gone = delete(CrlPublication).where(col(CrlPublication.issuer) == name, number < before, unseen)
    session.connection().execute(gone)
    number, unsigned = col(CrlList.number), col(CrlList.der).is_(None)
    session.connection().execute(delete(CrlList).where(col(CrlList.issuer) == name, number < before, unsigned))


def _intention(name: str, number: int, times: tuple[datetime, datetime], one: Listing) -> dict[str, object]:
    return {
        "issuer": name,
        "scope": one.scope,
        "number": number,
        "this_update": times[0],
        "next_update": times[1],
        "entries": one.entries,
        "base": one.base,
        "tbs_sha256": one.digest.hex(),
        "start": 0,
        "length": 0,
    }


def untold(name: str) -> tuple[ColumnElement[bool], ...]:
    """Match the changes that no published list tells: not taken yet, or taken by a number that nobody saw."""
    left_out = select(CrlPublication.number).where(
        CrlPublication.issuer == name, col(CrlPublication.published_at).is_(None)
    )
    number = col(RevocationChange.number)
    return col(RevocationChange.issuer) == name, or_(number.is_(None), number.in_(left_out))


def _total(session: Session, name: str, made: list[Listing]) -> int:
    """Return how many serial numbers are listed, by counting no row."""
    fresh = {one.scope: one.entries for one in made}
    counts = {scope: known.entries for scope, known in newest(session, name).items()} | fresh
    parts = [counts.get(scope, 0) for scope in scopes(name) if scope not in (FULL, DELTA)] or [counts.get(FULL, 0)]
    return sum(parts)


@dataclass(slots=True)
class _Composer:
    session: Session
    name: str
    frame: Frame
    public_url: str
    number: int
    times: tuple[datetime, datetime]

    def listings(self, wanted: list[str], lifetime: timedelta) -> Iterator[Listing]:
        """Yield each list that is wanted; the shards first, because the full list is made of them."""
        fresh = self._shards([int(scope) for scope in wanted if scope not in (FULL, DELTA)])
        for scope, (content, count) in fresh.items():
            point = tbslist.issuing_point(self.public_url, self.name, int(scope))
            yield self._listing(scope, content, count, point)
        if FULL in wanted:
            pointer = [tbslist.freshest(self.public_url, self.name)] if is_sharded(self.name) else []
            yield self._listing(FULL, *self._all(fresh), *pointer)
        if DELTA in wanted:
            base = self._base(lifetime)
            yield self._listing(DELTA, *self._changes(base), tbslist.delta_indicator(base), base=base)

    def _listing(
        self, scope: str, entries: bytes | bytearray, count: int, *extensions: bytes, base: int | None = None
    ) -> Listing:
        tbs = tbslist.encode(self.frame, self.number, self.times, entries, extensions)
        return Listing(scope, tbs, tbs.digest(), count, base)

    def _shards(self, wanted: list[int]) -> dict[str, tuple[bytes, int]]:
        """Read shards from their rows."""
        if not wanted:
            return {}
        parts: dict[int, list[bytes]] = {shard: [] for shard in wanted}
        for shard, entry in self._rows(wanted):
            parts[shard].append(entry)
        return {str(shard): (b"".join(entries), len(entries)) for shard, entries in parts.items()}

    def _rows(self, wanted: list[int]) -> Iterable[tuple[int, bytes]]:
        statement = union_all(
            select(Revocation.shard, Revocation.entry, Revocation.serial).where(
                Revocation.issuer == self.name, col(Revocation.shard).in_(wanted)
            ),
            select(CertificateHold.shard, CertificateHold.entry, CertificateHold.serial).where(
                CertificateHold.issuer == self.name, col(CertificateHold.shard).in_(wanted)
            ),
        ).order_by("serial")
        return ((row[0], row[1]) for row in self.session.connection().execute(statement))

    def _all(self, fresh: Mapping[str, tuple[bytes, int]]) -> tuple[bytes | bytearray, int]:
        """Join the shards: as they are made now, or as they were published."""
        if not is_sharded(self.name):
            entries = [entry for _shard, entry in self._rows(list(range(SHARDS)))]
            return b"".join(entries), len(entries)
        published = newest(self.session, self.name)
        joined, total = bytearray(), 0
        for scope in map(str, range(SHARDS)):
            if scope in fresh:
                content, count = fresh[scope]
            else:
                # Not made now, so it was published before: what was never published is always due.
                content, count = self._published(scope, published[scope].number), published[scope].entries
            joined += content
            total += count
        return joined, total

    def _published(self, scope: str, number: int) -> bytes:
        entries = func.substr(CrlList.der, CrlList.start + 1, CrlList.length)
        statement = select(entries).where(CrlList.issuer == self.name, CrlList.scope == scope, CrlList.number == number)
        return bytes(self.session.exec(statement).one())

    def _base(self, lifetime: timedelta) -> int:
        """Return the full list that a delta stands on: the same one for a day, so that who has it need not get more."""
        known = newest(self.session, self.name)
        full, delta = known.get(FULL), known.get(DELTA)
        if full is None:
            return self.number
        if delta is not None and delta.base is not None and delta.entries <= LONGEST_DELTA:
            row = self.session.get(CrlPublication, (self.name, delta.base))
            if row is not None and self.times[0] - row.this_update < lifetime:
                return delta.base
        return full.number

    def _changes(self, base: int) -> tuple[bytes, int]:
        """Return what changed since ``base``: the last word on each serial number."""
        statement = select(RevocationChange.serial, RevocationChange.entry).where(
            RevocationChange.issuer == self.name, col(RevocationChange.number) > base
        )
        rows = self.session.connection().execute(statement.order_by(col(RevocationChange.id)))
        last: dict[str, bytes] = {row[0]: row[1] for row in rows}
        return b"".join(last.values()), len(last)
