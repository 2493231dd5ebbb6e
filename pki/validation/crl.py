"""A certificate revocation list as path validation sees it (RFC 5280, 5.1 and 5.2). Pure.

Entries are found by issuer and then serial number: an indirect list speaks of the certificates of several authorities.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pki.validation import element, extension, name
from pki.validation.element import BIT_STRING, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, Element, Fields
from pki.validation.extension import Extension, Point
from pki.validation.name import Name
from pki.validation.refusal import Why, refused

#: Most octets of a list that is looked at, and most of its entries.
LARGEST, MOST_ENTRIES = 16 * 2**20, 262_144

#: ReasonCode removeFromCRL (5.3.1).
REMOVED = 8

_UNDERSTOOD = frozenset({extension.CRL_NUMBER, extension.DELTA, extension.ISSUING_POINT, extension.AUTHORITY_KEY})
_UNDERSTOOD_OF_ENTRY = frozenset({extension.REASON})
#: Only an indirect list speaks of other issuers' certificates (5.3.3).
_UNDERSTOOD_OF_INDIRECT = _UNDERSTOOD_OF_ENTRY | {extension.CERTIFICATE_ISSUER}


@dataclass(frozen=True, slots=True, eq=False)
class Crl:
    """``base`` is the number of the list that a delta list adds to; ``entries`` have reason codes (0 where none).

    ``unknown`` names a critical extension that nobody understands: such a list says nothing (5.2 and 5.3).
    """

    content: bytes
    tbs: bytes
    algorithm: bytes
    signature: bytes
    issuer: Name
    this_update: datetime
    next_update: datetime | None
    number: int | None
    base: int | None
    point: Point | None
    authority_key: bytes | None
    unknown: str
    entries: Mapping[Name, Mapping[bytes, int]]


def parse(content: bytes) -> Crl:
    """Read a DER list. Raises ``RefusedPath`` with a reason of ``malformed`` or ``too-much``."""
    if len(content) > LARGEST:
        raise refused(Why.TOO_MUCH, f"the list has {len(content)} octets, more than {LARGEST}")
    outer = Fields(element.only(content, SEQUENCE).content)
    tbs, algorithm = outer.take(SEQUENCE), outer.take(SEQUENCE)
    signature = outer.take(BIT_STRING).content
    outer.end()
    return _parse_tbs(content, tbs, algorithm, signature)


def _parse_tbs(content: bytes, tbs: Element, algorithm: Element, signature: bytes) -> Crl:
    fields = Fields(tbs.content)
    version = fields.find(INTEGER)
    if fields.take(SEQUENCE).whole != algorithm.whole or (version is not None and version.content != b"\x01"):
        raise refused(Why.MALFORMED, "the list's version or algorithm is none (RFC 5280, 5.1.2)")
    issuer = name.parse(fields.take(SEQUENCE).content)
    this_update, next_update = fields.take(UTC_TIME, GENERALIZED_TIME), fields.find(UTC_TIME, GENERALIZED_TIME)
    revoked, wrapped = fields.find(SEQUENCE), fields.find(0xA0)
    fields.end()
    if not issuer.relative or (wrapped is not None and version is None):
        raise refused(Why.MALFORMED, "the list has no issuer, or extensions that its version does not know")
    known = {} if wrapped is None else extension.parse(element.only(wrapped.content, SEQUENCE).content)
    point = known.get(extension.ISSUING_POINT)
    number, base = known.get(extension.CRL_NUMBER), known.get(extension.DELTA)
    key = known.get(extension.AUTHORITY_KEY)
    about = None if point is None else extension.issuing_point(point.value, issuer)
    understood = _UNDERSTOOD_OF_ENTRY if about is None or not about.indirect else _UNDERSTOOD_OF_INDIRECT
    entries, unknown = _entries(b"" if revoked is None else revoked.content, issuer, understood)
    return Crl(
        content=content,
        tbs=tbs.whole,
        algorithm=algorithm.whole,
        signature=signature,
        issuer=issuer,
        this_update=element.time(this_update),
        next_update=None if next_update is None else element.time(next_update),
        number=None if number is None else extension.number(number.value),
        base=None if base is None else extension.number(base.value),
        point=about,
        authority_key=None if key is None else key.value,
        unknown=_unknown(known, _UNDERSTOOD) or unknown,
        entries=entries,
    )


def _entries(
    content: bytes, issuer: Name, understood: frozenset[bytes]
) -> tuple[Mapping[Name, Mapping[bytes, int]], str]:
    """Return the entries, and the first critical extension of an entry that is not understood."""
    unknown = ""
    about: dict[bytes, int] = {}
    entries = {issuer: about}
    for one in element.split(content, MOST_ENTRIES):
        fields = Fields(element.inside(one, SEQUENCE), 3)
        serial = fields.take(INTEGER).content
        element.integer(serial)
        element.time(fields.take(UTC_TIME, GENERALIZED_TIME))
        wrapped = fields.find(SEQUENCE)
        fields.end()
        known = {} if wrapped is None else extension.parse(wrapped.content)
        unknown = unknown or _unknown(known, understood)
        # The issuer of an entry is the issuer of those that follow, until another is named (5.3.3).
        named = _issuer(known)
        if named is not None:
            about = entries.setdefault(named, {})
        # Of two entries about one certificate the one that revokes it counts.
        reason = _reason(known)
        if reason != REMOVED or serial not in about:
            about[serial] = reason
    return entries, unknown


def _issuer(known: Mapping[bytes, Extension]) -> Name | None:
    found = known.get(extension.CERTIFICATE_ISSUER)
    if found is None:
        return None
    names = [one.value for one in extension.names(found.value) if isinstance(one.value, Name)]
    if not names:
        raise refused(Why.MALFORMED, "an entry names an issuer without its name (RFC 5280, 5.3.3)")
    return names[0]


def _reason(known: Mapping[bytes, Extension]) -> int:
    found = known.get(extension.REASON)
    if found is None:
        return 0
    return element.count(element.only(found.value, element.ENUMERATED).content)


def _unknown(known: Mapping[bytes, Extension], understood: frozenset[bytes]) -> str:
    return next((element.dotted(kind) for kind, one in known.items() if one.critical and kind not in understood), "")
