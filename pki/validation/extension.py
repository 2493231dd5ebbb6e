"""The extensions of certificates and lists that path validation asks about (RFC 5280, 4.2.1 and 5.2). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pki.validation import element, name
from pki.validation.element import BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, SEQUENCE, Element, Fields
from pki.validation.name import GeneralName, Name
from pki.validation.refusal import Why, refused


def _ce(last: int) -> bytes:
    return bytes([0x55, 0x1D, last])


SUBJECT_KEY, KEY_USAGE, ALTERNATIVE, ISSUER_ALTERNATIVE, BASIC = _ce(14), _ce(15), _ce(17), _ce(18), _ce(19)
CRL_NUMBER, REASON, DELTA, ISSUING_POINT, CERTIFICATE_ISSUER = _ce(20), _ce(21), _ce(27), _ce(28), _ce(29)
CONSTRAINTS, POINTS, POLICIES, MAPPINGS, AUTHORITY_KEY = _ce(30), _ce(31), _ce(32), _ce(33), _ce(35)
POLICY_CONSTRAINTS, PURPOSES, FRESHEST, INHIBIT_ANY = _ce(36), _ce(37), _ce(46), _ce(54)

#: anyPolicy (4.2.1.4), anyExtendedKeyUsage (4.2.1.12).
ANY_POLICY, ANY_PURPOSE = element.octets_of("2.5.29.32.0"), element.octets_of("2.5.29.37.0")

#: The qualifiers that can be interpreted: id-qt-cps, id-qt-unotice.
_QUALIFIERS = frozenset(element.octets_of(f"1.3.6.1.5.5.7.2.{last}") for last in (1, 2))

#: Bits of key usage (4.2.1.3).
DIGITAL_SIGNATURE, CERT_SIGN, CRL_SIGN = 1 << 0, 1 << 5, 1 << 6

#: Most policies, mappings, and subtrees of a certificate: the work grows with their product.
_MOST_POLICIES, _MOST_SUBTREES = 64, 512


class Extension(NamedTuple):
    """An extension's value is the content of its OCTET STRING."""

    critical: bool
    value: bytes


class Basic(NamedTuple):
    """Basic constraints (4.2.1.9)."""

    authority: bool
    path_length: int | None


class PolicyConstraints(NamedTuple):
    """Policy constraints (4.2.1.11)."""

    require_explicit: int | None
    inhibit_mapping: int | None


@dataclass(frozen=True, slots=True)
class Subtrees:
    """Name constraints (4.2.1.10): the subtrees; those of form ADDRESS are an address and its mask."""

    permitted: tuple[GeneralName, ...]
    excluded: tuple[GeneralName, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A distribution point (4.2.1.13), or what a list says of its own (5.2.5): ``names`` empty where it has none."""

    names: frozenset[GeneralName] = frozenset()
    reasons: int | None = None
    issuers: frozenset[GeneralName] = frozenset()
    only_users: bool = False
    only_authorities: bool = False
    only_attributes: bool = False
    indirect: bool = False


def parse(content: bytes) -> Mapping[bytes, Extension]:
    """Read Extensions by their object identifiers; none comes twice (4.2)."""
    found: dict[bytes, Extension] = {}
    for one in element.split(content, 64):
        fields = Fields(element.inside(one, SEQUENCE))
        kind = element.identifier(fields.take(OID).content)
        critical = fields.find(BOOLEAN)
        value = Extension(critical is not None and element.boolean(critical.content), fields.take(OCTET_STRING).content)
        fields.end()
        if kind in found:
            raise refused(Why.MALFORMED, f"the extension {element.dotted(kind)} comes twice")
        found[kind] = value
    return found


def basic(value: bytes) -> Basic:
    """Read BasicConstraints."""
    fields = Fields(element.only(value, SEQUENCE).content)
    authority, length = fields.find(BOOLEAN), fields.find(INTEGER)
    fields.end()
    return Basic(
        authority is not None and element.boolean(authority.content),
        None if length is None else element.count(length.content),
    )


def key_usage(value: bytes) -> int:
    """Read KeyUsage."""
    return element.flags(element.only(value, BIT_STRING).content)


def identifiers(value: bytes) -> frozenset[bytes]:
    """Read ExtKeyUsageSyntax."""
    found = element.split(element.only(value, SEQUENCE).content, 64)
    return frozenset(element.identifier(element.inside(one, OID)) for one in found)


def names(value: bytes) -> tuple[GeneralName, ...]:
    """Read GeneralNames."""
    return name.parse_all(element.only(value, SEQUENCE).content)


def subtrees(value: bytes) -> Subtrees:
    """Read NameConstraints; ``minimum`` and ``maximum`` are not used (4.2.1.10), so what has them is refused."""
    fields = Fields(element.only(value, SEQUENCE).content)
    permitted, excluded = fields.find(0xA0), fields.find(0xA1)
    fields.end()
    return Subtrees(*(() if part is None else _subtrees(part.content) for part in (permitted, excluded)))


def _subtrees(content: bytes) -> tuple[GeneralName, ...]:
    found = []
    for one in element.split(content, _MOST_SUBTREES):
        parts = element.split(element.inside(one, SEQUENCE))
        if len(parts) != 1:
            raise refused(Why.MALFORMED, "a name constraint is not of a name alone (RFC 5280, 4.2.1.10)")
        found.append(name.parse_general(parts[0]))
    return tuple(found)


def policies(extension: Extension) -> frozenset[bytes]:
    """Read CertificatePolicies; a qualifier that nobody interprets is refused where the extension is critical."""
    found: set[bytes] = set()
    for one in element.split(element.only(extension.value, SEQUENCE).content, _MOST_POLICIES):
        fields = Fields(element.inside(one, SEQUENCE))
        policy = element.identifier(fields.take(OID).content)
        qualifiers = fields.find(SEQUENCE)
        fields.end()
        if policy in found:
            raise refused(Why.MALFORMED, f"the policy {element.dotted(policy)} comes twice (RFC 5280, 4.2.1.4)")
        found.add(policy)
        if extension.critical and qualifiers is not None:
            _check_qualifiers(qualifiers)
    return frozenset(found)


def _check_qualifiers(qualifiers: Element) -> None:
    for one in element.split(qualifiers.content, _MOST_POLICIES):
        kind = Fields(element.inside(one, SEQUENCE)).take(OID).content
        if kind not in _QUALIFIERS:
            raise refused(Why.CRITICAL, f"a critical policy has a qualifier {element.dotted(kind)}")


def mappings(value: bytes) -> Mapping[bytes, frozenset[bytes]]:
    """Read PolicyMappings: the issuer's policy, and those of the subject that it counts as."""
    found: dict[bytes, set[bytes]] = {}
    for one in element.split(element.only(value, SEQUENCE).content, _MOST_POLICIES):
        fields = Fields(element.inside(one, SEQUENCE))
        issuers, subjects = (element.identifier(fields.take(OID).content) for _ in range(2))
        fields.end()
        found.setdefault(issuers, set()).add(subjects)
    return {policy: frozenset(subjects) for policy, subjects in found.items()}


def policy_constraints(value: bytes) -> PolicyConstraints:
    """Read PolicyConstraints."""
    fields = Fields(element.only(value, SEQUENCE).content)
    explicit, mapping = fields.find(0x80), fields.find(0x81)
    fields.end()
    return PolicyConstraints(*(None if part is None else element.count(part.content) for part in (explicit, mapping)))


def number(value: bytes) -> int:
    """Read an INTEGER that is the whole extension: a list's number, or after how many certificates anyPolicy ends."""
    found = element.integer(element.only(value, INTEGER).content)
    if found < 0:
        raise refused(Why.MALFORMED, "a number is negative")
    return found


def points(value: bytes, issuer: Name) -> tuple[Point, ...]:
    """Read CRLDistributionPoints of a certificate by ``issuer``."""
    return tuple(_point(one, issuer) for one in element.split(element.only(value, SEQUENCE).content, 64))


def _point(one: Element, issuer: Name) -> Point:
    fields = Fields(element.inside(one, SEQUENCE))
    place, reasons, issuers = fields.find(0xA0), fields.find(0x81), fields.find(0xA2)
    fields.end()
    signers = frozenset() if issuers is None else frozenset(name.parse_all(issuers.content))
    # A relative name is relative to who issues the list: somebody else, if the point says so.
    others = [found.value for found in signers if isinstance(found.value, Name)]
    if len(others) > 1 and place is not None and place.content[:1] == b"\xa1":
        raise refused(Why.MALFORMED, "a distribution point is relative to several names (RFC 5280, 4.2.1.13)")
    return Point(
        frozenset() if place is None else _place(place.content, others[0] if others else issuer),
        None if reasons is None else element.flags(reasons.content),
        signers,
    )


def issuing_point(value: bytes, issuer: Name) -> Point:
    """Read IssuingDistributionPoint of a list by ``issuer``."""
    fields = Fields(element.only(value, SEQUENCE).content)
    place, users, authorities = fields.find(0xA0), fields.find(0x81), fields.find(0x82)
    reasons, indirect, attributes = fields.find(0x83), fields.find(0x84), fields.find(0x85)
    fields.end()
    return Point(
        names=frozenset() if place is None else _place(place.content, issuer),
        reasons=None if reasons is None else element.flags(reasons.content),
        only_users=users is not None and element.boolean(users.content),
        only_authorities=authorities is not None and element.boolean(authorities.content),
        only_attributes=attributes is not None and element.boolean(attributes.content),
        indirect=indirect is not None and element.boolean(indirect.content),
    )


def _place(content: bytes, issuer: Name) -> frozenset[GeneralName]:
    found = element.split(content)
    if len(found) != 1 or found[0].tag not in (0xA0, 0xA1):
        raise refused(Why.MALFORMED, "a distribution point has no name")
    if found[0].tag == 0xA0:
        return frozenset(name.parse_all(found[0].content))
    return frozenset({GeneralName(name.DIRECTORY, name.parse_relative(found[0].content, issuer))})
