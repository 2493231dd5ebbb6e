"""Reading DER (X.690, 10): one encoding of each value, and nothing after it. Pure.

Strict on purpose: what has two readings is refused before anybody acts on one of them. Tags have one octet (no
certificate and no list needs more); content is never copied deeper than it is asked for, so nesting costs nothing.
"""

import itertools
import re
from datetime import UTC, datetime
from typing import NamedTuple

from pki.validation.refusal import Why, refused

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A
SEQUENCE, SET, UTC_TIME, GENERALIZED_TIME = 0x30, 0x31, 0x17, 0x18

#: Most elements of one SEQUENCE that is not a list's.
MOST = 1024

_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_GENERALIZED = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")


class Element(NamedTuple):
    """A value: its tag, its content, and the ``whole`` with tag and length."""

    tag: int
    content: bytes
    whole: bytes


def split(content: bytes, most: int = MOST) -> list[Element]:
    """Return the values that ``content`` is made of."""
    found: list[Element] = []
    at, end = 0, len(content)
    while at < end:
        # The frame of nearly every value, at hand; what is longer or wrong is looked at closely.
        start = at + 2
        stop = start + content[at + 1] if start <= end else end + 1
        if stop > end or content[at + 1] & 0x80 or content[at] & 0x1F == 0x1F:
            start, stop = _frame(content, at, end)
        found.append(Element(content[at], content[start:stop], content[at:stop]))
        if len(found) > most:
            raise refused(Why.TOO_MUCH, f"more than {most} values stand in one place")
        at = stop
    return found


def _frame(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return where the value at ``at`` starts and stops."""
    if at + 2 > end or content[at] & 0x1F == 0x1F:
        raise _malformed("a value is cut off")
    length, start = content[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        start += count
        length = int.from_bytes(content[at + 2 : start], "big")
        # The shortest form only, and neither the indefinite one nor lengths that nothing here has.
        if not 1 <= count <= 4 or length < 0x80 or length >> (8 * count - 8) == 0:
            raise _malformed("a length is not in its one encoding")
    if start + length > end:
        raise _malformed("a value is cut off")
    return start, start + length


def only(content: bytes, tag: int) -> Element:
    """Return the one value of ``tag`` that ``content`` is."""
    start, stop = _frame(content, 0, len(content))
    if content[0] != tag or stop != len(content):
        raise _malformed(f"a value is not the one of tag {tag:#04x} that belongs there")
    return Element(tag, content[start:stop], content)


def inside(one: Element, tag: int) -> bytes:
    """Return the content of a value that has to be of ``tag``."""
    if one.tag != tag:
        raise _malformed(f"a value is not the one of tag {tag:#04x} that belongs there")
    return one.content


class Fields:
    """The values of a SEQUENCE, taken in their order."""

    def __init__(self, content: bytes, most: int = MOST) -> None:
        """Split ``content``."""
        self._values = split(content, most)
        self._next = 0

    def take(self, *tags: int) -> Element:
        """Return the next value, which has one of ``tags``."""
        found = self.find(*tags)
        if found is None:
            raise _malformed("a field is missing")
        return found

    def find(self, *tags: int) -> Element | None:
        """Return the next value if it has one of ``tags``."""
        if self._next < len(self._values) and self._values[self._next].tag in tags:
            self._next += 1
            return self._values[self._next - 1]
        return None

    def end(self) -> None:
        """Raise when something is left."""
        if self._next != len(self._values):
            raise _malformed("a field too many")


def integer(content: bytes) -> int:
    """Return an INTEGER's value from its content."""
    if not content or (len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (0xFF, 1))):
        raise _malformed("an integer is not in its one encoding")
    return int.from_bytes(content, "big", signed=True)


def count(content: bytes) -> int:
    """Return an INTEGER that counts: not negative; a huge one counts as a large one."""
    value = integer(content)
    if value < 0:
        raise _malformed("a count is negative")
    return min(value, 2**31)


def boolean(content: bytes) -> bool:
    """Return a BOOLEAN whose default is false: written out it can only be true (X.690, 11.1 and 11.5)."""
    if content != b"\xff":
        raise _malformed("a boolean is not in its one encoding")
    return True


def identifier(content: bytes) -> bytes:
    """Return an OBJECT IDENTIFIER's content, checked."""
    if not content or content[-1] & 0x80 or content[0] == 0x80 or len(content) > 64:
        raise _malformed("an object identifier is cut off")
    if any(second == 0x80 and not first & 0x80 for first, second in itertools.pairwise(content)):
        raise _malformed("an object identifier is not in its one encoding")
    return content


def octets_of(dotted: str) -> bytes:
    """Return the content of the OBJECT IDENTIFIER that is written ``dotted``."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc >> shift & 0x7F for shift in range(0, max(arc.bit_length(), 1), 7)]
        encoded += bytes([group | 0x80 for group in groups[:0:-1]] + [groups[0]])
    return bytes(encoded)


def dotted(content: bytes) -> str:
    """Write an OBJECT IDENTIFIER's content with dots, for people."""
    arcs, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(str(part) for part in (first, arcs[0] - 40 * first, *arcs[1:])) if arcs else ""


def flags(content: bytes) -> int:
    """Return a BIT STRING of named bits as a number: the bit ``n`` of the standard is ``1 << n``."""
    if not content or content[0] > 7 or len(content) > 9 or (len(content) == 1 and content[0]):
        raise _malformed("a bit string is not in its one encoding")
    value = int.from_bytes(content[1:], "big")
    size = 8 * (len(content) - 1)
    # No bit after the last one, and that one is set (X.690, 11.2.2).
    if value & ((1 << content[0]) - 1) or (size and not value >> content[0] & 1):
        raise _malformed("a bit string is not in its one encoding")
    return sum(1 << bit for bit in range(size) if value >> (size - 1 - bit) & 1)


def time(element: Element) -> datetime:
    """Return a Time (RFC 5280, 4.1.2.5): to the second, in UTC."""
    generalized = element.tag == GENERALIZED_TIME
    found = (_GENERALIZED if generalized else _UTC).fullmatch(element.content)
    if found is None:
        raise _malformed("a time is not written as RFC 5280, 4.1.2.5, asks")
    year, month, day, hour, minute, second = (int(part) for part in found.groups())
    if not generalized:
        year += 1900 if year >= 50 else 2000
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise _malformed("a time is no time") from error


def _malformed(detail: str) -> Exception:
    return refused(Why.MALFORMED, detail)
