"""How status stands: lists that are late, changes that no list tells, a responder that ends soon; read, never changed.

An expired list locks out everybody who believes in it: it must be seen long before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from sqlmodel import Session, col, func, select

from pki import hierarchy, listing, plan
from pki.issuer import OCSP
from pki.models import Authority, AuthorityPlan, RevocationChange

#: A list that should have been renewed so long ago is late; a change should be on the lists in under a second.
_LATE, _UNTOLD = timedelta(minutes=15), timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    expected: str


def look(session: Session, now: datetime) -> list[Sight]:
    """Return what there is to say of each authority that is there."""
    return [
        *(one for name in plan.listed(session, now) for one in _lists(session, name, now)),
        *(one for name in hierarchy.responders(session, now) for one in _responder(session, name, now)),
        *_waiting(session, now),
    ]


def _lists(session: Session, name: str, now: datetime) -> Iterator[Sight]:
    known = listing.newest(session, name)
    expected = "every list is renewed at its half-life"
    missing = set(listing.scopes(name)) - set(known)
    if missing:
        yield Sight(f"lists of {name}", False, f"{len(missing)} of {len(listing.scopes(name))} are missing", expected)
    if known:
        first = min(known.values(), key=lambda one: one.next_update)
        left, life = first.next_update - now, first.next_update - first.this_update
        found = f"the first of {len(known)} ends in {_told(left)}"
        yield Sight(f"lists of {name}", left > life / 2 - min(_LATE, life / 4), found, expected)
    oldest = session.exec(
        # Also what a number was taken for that nobody saw: while the signer is away every change has one.
        select(func.min(RevocationChange.at)).where(*listing.untold(name))
    ).one()
    if oldest is not None and now - oldest > _UNTOLD:
        found = f"a change of {_told(now - oldest)} ago is on no list"
        yield Sight(f"changes of {name}", False, found, "a change is on the lists within a second")


def _responder(session: Session, name: str, now: datetime) -> Iterator[Sight]:
    row = session.get(Authority, name)
    if row is not None:
        left = x509.load_der_x509_certificate(row.der).not_valid_after_utc - now
        expected = f"it is renewed {hierarchy.RENEWAL.days} days before its end"
        late = left <= hierarchy.RENEWAL - timedelta(days=1)
        which = name.removeprefix(f"{OCSP}-") if name != OCSP else ""
        yield Sight(f"OCSP responder {which}".strip(), not late, f"its certificate ends in {_told(left)}", expected)


def _waiting(session: Session, now: datetime) -> Iterator[Sight]:
    """An authority that two people agreed on is made within a minute."""
    waiting = {one.name for one, _step in plan.unfinished(session)}
    rows = session.exec(
        select(AuthorityPlan).where(col(AuthorityPlan.name).in_(waiting), AuthorityPlan.at < now - _LATE)
    )
    for row in rows:
        found = f"agreed on {_told(now - row.at)} ago and not finished"
        yield Sight(f"authority {row.name}", False, found, "the worker makes it within a minute")


def _told(span: timedelta) -> str:
    sign, seconds = ("-" if span < timedelta(0) else ""), int(abs(span.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    return f"{sign}{days} d" if days else f"{sign}{hours} h {minutes:02} min"
