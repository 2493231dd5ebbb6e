"""Names and how they are compared (RFC 5280, 7.1): by what they say, not by how they are encoded. Pure."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import NamedTuple

from pki import der
from pki.validation import element
from pki.validation.element import OID, SEQUENCE, SET, Element
from pki.validation.refusal import Why, refused

#: One (attribute type, value as it is compared).
Attribute = tuple[bytes, str]

#: emailAddress (PKCS #9), which the constraints on mail addresses concern too.
_EMAIL = element.octets_of("1.2.840.113549.1.9.1")

#: The types that have a short name (RFC 4514, 3).
_SHORT = {
    element.octets_of(dotted): short
    for short, dotted in {
        "CN": "2.5.4.3",
        "L": "2.5.4.7",
        "ST": "2.5.4.8",
        "O": "2.5.4.10",
        "OU": "2.5.4.11",
        "C": "2.5.4.6",
        "DC": "0.9.2342.19200300.100.1.25",
        "UID": "0.9.2342.19200300.100.1.1",
    }.items()
}

#: The string types and how their octets are read; T61String as everybody reads it.
_READ = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}

#: What a written value cannot hold as it is (RFC 4514, 2.4), and how much of a value is shown.
_SPECIAL, _ESCAPED, _SHOWN = re.compile(r'([,+"\\<>;=])'), r"\\\1", 80

#: Most relative names of a name, and attributes of a relative name.
_LONGEST = 64

#: The forms of a general name (RFC 5280, 4.2.1.6) that something here asks about.
EMAIL, DNS, DIRECTORY, URI, ADDRESS = 1, 2, 4, 6, 7


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name; two are equal when 7.1 says so. ``emails`` are its mail addresses as written."""

    relative: tuple[tuple[Attribute, ...], ...]
    content: bytes = field(default=b"", compare=False)
    emails: tuple[str, ...] = field(default=(), compare=False)

    def is_within(self, subtree: "Name") -> bool:
        """Say whether this name lies in the subtree: whether it begins with it (7.1, last paragraph)."""
        return self.relative[: len(subtree.relative)] == subtree.relative

    def __str__(self) -> str:
        """Write the values in order, for people (after RFC 4514, 2, but from the first to the last)."""
        written = [_written(part) for one in element.split(self.content) for part in element.split(one.content)]
        return ",".join(written)


class GeneralName(NamedTuple):
    """``value`` is the name of form DIRECTORY, or the octets of any other."""

    form: int
    value: Name | bytes


def parse(content: bytes) -> Name:
    """Read the content of a Name."""
    emails: list[str] = []
    relative = tuple(_relative(one, emails) for one in element.split(content, _LONGEST))
    return Name(relative, content, tuple(emails))


def parse_relative(content: bytes, issuer: Name) -> Name:
    """Read a name relative to a CRL issuer (4.2.1.13): the content of one RelativeDistinguishedName."""
    one = Element(SET, content, der.encode(der.SET, content))
    return Name((*issuer.relative, _relative(one, [])), issuer.content + one.whole)


def parse_general(one: Element) -> GeneralName:
    """Read a GeneralName (4.2.1.6)."""
    form = one.tag & 0x1F
    if one.tag == 0xA0 | DIRECTORY:
        return GeneralName(form, parse(element.only(one.content, SEQUENCE).content))
    if one.tag not in (0xA0, 0x81, 0x82, 0xA3, 0xA5, 0x86, 0x87, 0x88):
        raise refused(Why.MALFORMED, "a name is of no form that RFC 5280, 4.2.1.6, knows")
    return GeneralName(form, one.content)


def parse_all(content: bytes) -> tuple[GeneralName, ...]:
    """Read the content of GeneralNames."""
    return tuple(parse_general(one) for one in element.split(content))


def _relative(one: Element, emails: list[str]) -> tuple[Attribute, ...]:
    if one.tag != SET:
        raise refused(Why.MALFORMED, "a relative name is no set")
    parts = element.split(one.content, _LONGEST)
    attributes = [_attribute(part, emails) for part in parts]
    if not attributes:
        raise refused(Why.MALFORMED, "a relative name is empty")
    return tuple(sorted(attributes)) if len(attributes) > 1 else tuple(attributes)


def _attribute(part: Element, emails: list[str]) -> Attribute:
    if part.tag != SEQUENCE:
        raise refused(Why.MALFORMED, "an attribute is no sequence")
    pair = element.split(part.content, 2)
    if len(pair) != 2 or pair[0].tag != OID:
        raise refused(Why.MALFORMED, "an attribute is not of type and value")
    kind, value = element.identifier(pair[0].content), pair[1]
    reading = _READ.get(value.tag)
    if reading is None:
        # Not a string: equal is only what is the same octet by octet.
        return kind, f"#{value.whole.hex()}"
    try:
        text = value.content.decode(reading)
    except UnicodeDecodeError as error:
        raise refused(Why.MALFORMED, "a name is not of the characters its type allows") from error
    if kind == _EMAIL:
        emails.append(text)
    return kind, normal(text)


def _written(part: Element) -> str:
    kind, value = element.split(part.content, 2)
    short = _SHORT.get(kind.content) or element.dotted(kind.content)
    text = value.content.decode(_READ.get(value.tag, "latin-1"))
    shown = "".join(one if one.isprintable() else "?" for one in text[:_SHOWN])
    return f"{short}={_SPECIAL.sub(_ESCAPED, shown)}"


def normal(text: str) -> str:
    """Prepare a string for comparison: case, width and spaces do not count (RFC 4518, 2)."""
    if not text.isascii():
        # What is not seen is mapped to nothing, or a name could be dressed up to evade an exclusion.
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        text = "".join(one for one in folded if unicodedata.category(one) != "Cf" and one not in _UNSEEN)
    return " ".join(text.casefold().split())


#: Variation selectors and joiners that are not of category Cf (RFC 4518, 2.2).
_UNSEEN = frozenset("\u034f\u180b\u180c\u180d\ufffc" + "".join(map(chr, range(0xFE00, 0xFE10))))
