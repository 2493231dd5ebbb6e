"""A certificate as path validation sees it (RFC 5280, 4.1): read once, whole, from its one DER encoding. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pki.validation import element, extension, name
from pki.validation.element import BIT_STRING, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, Element, Fields
from pki.validation.extension import Basic, Extension, Point, PolicyConstraints, Subtrees
from pki.validation.name import GeneralName, Name
from pki.validation.refusal import Why, refused

T = TypeVar("T")

#: Most octets of a certificate that is looked at.
LARGEST = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """``serial`` and ``signature`` are the content of their INTEGER and BIT STRING.

    An extension's field is ``None`` (or empty) where there is none.
    """

    content: bytes
    tbs: bytes
    algorithm: bytes
    signature: bytes
    version: int
    serial: bytes
    issuer: Name
    not_before: datetime
    not_after: datetime
    subject: Name
    spki: bytes
    extensions: Mapping[bytes, Extension]
    basic: Basic | None = None
    key_usage: int | None = None
    purposes: frozenset[bytes] | None = None
    alternative: tuple[GeneralName, ...] = ()
    subtrees: Subtrees | None = None
    policies: frozenset[bytes] | None = None
    mappings: Mapping[bytes, frozenset[bytes]] | None = None
    policy_constraints: PolicyConstraints | None = None
    inhibit_any: int | None = None
    points: tuple[Point, ...] = ()

    @property
    def serial_number(self) -> int:
        """The serial number; a certificate of others may have one that is not positive."""
        return element.integer(self.serial)

    @property
    def is_self_issued(self) -> bool:
        """Whether issuer and subject are the same (6.1)."""
        return self.issuer == self.subject

    @property
    def is_authority(self) -> bool:
        """Whether the certificate says that its subject issues certificates."""
        return self.basic is not None and self.basic.authority


def parse(content: bytes) -> Certificate:
    """Read a DER certificate. Raises ``RefusedPath`` with a reason of ``malformed`` or ``too-much``."""
    if len(content) > LARGEST:
        raise refused(Why.TOO_MUCH, f"the certificate has {len(content)} octets, more than {LARGEST}")
    outer = Fields(element.only(content, SEQUENCE).content)
    tbs, algorithm = outer.take(SEQUENCE), outer.take(SEQUENCE)
    signature = outer.take(BIT_STRING).content
    outer.end()
    return _parse_tbs(content, tbs, algorithm, signature)


def _parse_tbs(content: bytes, tbs: Element, algorithm: Element, signature: bytes) -> Certificate:
    fields = Fields(tbs.content)
    version = _version(fields.find(0xA0))
    serial = fields.take(INTEGER).content
    element.integer(serial)
    if fields.take(SEQUENCE).whole != algorithm.whole:
        raise refused(Why.MALFORMED, "the signature's algorithm is not the one that is signed (RFC 5280, 4.1.1.2)")
    issuer = name.parse(fields.take(SEQUENCE).content)
    if not issuer.relative:
        raise refused(Why.MALFORMED, "the certificate names no issuer (RFC 5280, 4.1.2.4)")
    not_before, not_after = _validity(fields.take(SEQUENCE).content)
    subject = name.parse(fields.take(SEQUENCE).content)
    spki = fields.take(SEQUENCE).whole
    known = _known(fields, version)
    return Certificate(
        content=content,
        tbs=tbs.whole,
        algorithm=algorithm.whole,
        signature=signature,
        version=version,
        serial=serial,
        issuer=issuer,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        spki=spki,
        extensions=known,
        basic=_read(known, extension.BASIC, extension.basic),
        key_usage=_read(known, extension.KEY_USAGE, extension.key_usage),
        purposes=_read(known, extension.PURPOSES, extension.identifiers),
        alternative=_read(known, extension.ALTERNATIVE, extension.names) or (),
        subtrees=_read(known, extension.CONSTRAINTS, extension.subtrees),
        policies=extension.policies(known[extension.POLICIES]) if extension.POLICIES in known else None,
        mappings=_read(known, extension.MAPPINGS, extension.mappings),
        policy_constraints=_read(known, extension.POLICY_CONSTRAINTS, extension.policy_constraints),
        inhibit_any=_read(known, extension.INHIBIT_ANY, extension.number),
        points=_read(known, extension.POINTS, lambda value: extension.points(value, issuer)) or (),
    )


def _validity(content: bytes) -> tuple[datetime, datetime]:
    times = Fields(content)
    not_before, not_after = (element.time(times.take(UTC_TIME, GENERALIZED_TIME)) for _ in range(2))
    times.end()
    return not_before, not_after


def _known(fields: Fields, version: int) -> Mapping[bytes, Extension]:
    """Read the rest: unique identifiers, which nobody uses, and the extensions, each where the version has them."""
    unique = [fields.find(tag) for tag in (0x81, 0x82)]
    wrapped = fields.find(0xA3)
    fields.end()
    if (wrapped is not None and version != 3) or (any(unique) and version == 1):
        raise refused(Why.MALFORMED, "the certificate has what its version does not know (RFC 5280, 4.1.2.1)")
    return {} if wrapped is None else extension.parse(element.only(wrapped.content, SEQUENCE).content)


def _read(known: Mapping[bytes, Extension], kind: bytes, reader: Callable[[bytes], T]) -> T | None:
    found = known.get(kind)
    return None if found is None else reader(found.value)


def _version(found: Element | None) -> int:
    if found is None:
        return 1
    version = element.integer(element.only(found.content, INTEGER).content) + 1
    if version not in (2, 3):
        raise refused(Why.MALFORMED, f"the certificate is of version {version}")
    return version
