"""Whether a certificate is revoked, from lists (RFC 5280, 6.3). Pure.

What cannot be determined is refused: a list that is missing, old, of another scope, or by nobody who may sign it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from pki.validation.certificate import Certificate
from pki.validation.crl import REMOVED, Crl
from pki.validation.extension import Point
from pki.validation.name import DIRECTORY, GeneralName
from pki.validation.refusal import Why, refused
from pki.validation.signature import Key

#: All reasons (6.3.1 (b)): keyCompromise to aACompromise, without the bit that is not used.
ALL_REASONS = 0b1_1111_1110

#: Gives the key of a proven signer that a list verifies with (6.3.3 (f) and (g)), or nothing.
Prover = Callable[[Crl], Key | None]

#: Says whether a delta list verifies with the key of the list that it adds to (6.3.3 (h)).
Verifier = Callable[[Crl, Key], bool]


def check(certificate: Certificate, lists: Sequence[Crl], now: datetime, prove: Prover, verifies: Verifier) -> None:
    """Raise unless ``lists`` say for all reasons that the certificate is not revoked at ``now`` (6.3.3)."""
    covered = 0
    # Of two lists about the same the newer one is asked, in whatever order they are handed in.
    current = sorted((one for one in lists if _is_usable(one, now)), key=lambda one: one.this_update, reverse=True)
    for point in _points(certificate):
        for complete in (one for one in current if one.base is None):
            # (b), (d) and (e): the list speaks of this certificate, and of reasons that no list spoke of before.
            interim = _reasons(complete.point, point)
            if not _is_in_scope(complete, certificate, point) or not interim & ~covered:
                continue
            # (f) and (g).
            key = prove(complete)
            if key is None:
                continue
            # (c), (h) to (k).
            deltas = (one for one in _deltas(complete, current) if verifies(one, key))
            _check_entry(certificate, complete, next(deltas, None))
            # (l).
            covered |= interim
            if covered == ALL_REASONS:
                return
    told = "for some reasons only" if covered else "by no list that is current, of its scope, and proven"
    raise refused(Why.UNDETERMINED, f"whether the certificate is revoked is said {told}")


def _is_usable(one: Crl, now: datetime) -> bool:
    """A list says something while it is current and nothing critical in it is unknown (5.2; 6.3.3 (a))."""
    return not one.unknown and one.next_update is not None and one.this_update <= now <= one.next_update


def _points(certificate: Certificate) -> Iterator[Point]:
    """The certificate's points, then the one that is implied: its issuer's own lists (6.3.3, last paragraphs)."""
    yield from certificate.points
    yield Point(names=frozenset({GeneralName(DIRECTORY, certificate.issuer)}))


def _is_in_scope(one: Crl, certificate: Certificate, point: Point) -> bool:
    """(b): whether the list is by the right issuer and about such certificates."""
    own = one.point or Point()
    if point.issuers:
        by_right = own.indirect and GeneralName(DIRECTORY, one.issuer) in point.issuers
    else:
        by_right = one.issuer == certificate.issuer
    # The names of the point, or, where it has none, of those who issue its lists.
    named = not own.names or bool(own.names & (point.names or point.issuers))
    about = not own.only_attributes and not (own.only_authorities if not certificate.is_authority else own.only_users)
    return by_right and named and about


def _reasons(own: Point | None, point: Point) -> int:
    """(d)."""
    reasons = ALL_REASONS if point.reasons is None else point.reasons & ALL_REASONS
    return reasons if own is None or own.reasons is None else reasons & own.reasons


def _deltas(complete: Crl, lists: Sequence[Crl]) -> list[Crl]:
    """(c), and 5.2.4: the delta lists that add to a complete one, the newest first."""
    if complete.number is None:
        return []
    found = [
        one
        for one in lists
        if one.base is not None
        and one.number is not None
        and one.base <= complete.number < one.number
        and (one.issuer, one.point, one.authority_key) == (complete.issuer, complete.point, complete.authority_key)
    ]
    return sorted(found, key=lambda one: one.number or 0, reverse=True)


def _check_entry(certificate: Certificate, complete: Crl, delta: Crl | None) -> None:
    """(i) to (k): the delta's word, then the complete list's."""
    reason = None if delta is None else _said(delta, certificate)
    if reason is None:
        reason = _said(complete, certificate)
    if reason is not None and reason != REMOVED:
        raise refused(Why.REVOKED, f"the certificate is revoked (reason code {reason})")


def _said(one: Crl, certificate: Certificate) -> int | None:
    return one.entries.get(certificate.issuer, {}).get(certificate.serial)
