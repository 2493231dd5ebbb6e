"""Strict DER, read (X.690, 10): lengths definite and in their shortest form, nothing left over. Pure."""

from dataclasses import dataclass

#: Octets of a length beyond its first: no message of ours is longer than four of them can say.
_LONGEST_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its tag, its content, and the octets of both with the length between them."""

    tag: int
    content: bytes
    whole: bytes


class Reader:
    """Reads the values that stand one behind the other in ``content``. Every method raises ``ValueError``."""

    def __init__(self, content: bytes) -> None:
        """Begin at the first."""
        self._left = content

    def next(self, tag: int) -> Value:
        """Return the next value, which must be of ``tag``."""
        found = self.optional(tag)
        if found is None:
            raise ValueError(f"no value of tag {tag:#04x} stands there")
        return found

    def optional(self, tag: int) -> Value | None:
        """Return the next value when it is of ``tag``; otherwise leave it to be read."""
        if not self._left or self._left[0] != tag:
            return None
        length, start = _length(self._left)
        if len(self._left) < start + length:
            raise ValueError("a value is cut short")
        whole, self._left = self._left[: start + length], self._left[start + length :]
        return Value(tag, whole[start:], whole)

    def rest(self) -> bytes:
        """Return what was not read yet."""
        return self._left

    def end(self) -> None:
        """Demand that nothing is left."""
        if self._left:
            raise ValueError(f"{len(self._left)} octets are left over")


def check_integer(value: Value) -> None:
    """Raise ``ValueError`` unless an INTEGER has the shortest form (X.690, 8.3.2)."""
    content = value.content
    if not content or (len(content) > 1 and content[0] in (0x00, 0xFF) and (content[0] ^ content[1]) < 0x80):
        raise ValueError("an integer has not its shortest form")


def check_oid(value: Value) -> None:
    """Raise ``ValueError`` unless an OBJECT IDENTIFIER is whole, each arc in its shortest form (X.690, 8.19.2)."""
    content = value.content
    starts = [True, *(octet < 0x80 for octet in content[:-1])]
    if (
        not content
        or content[-1] >= 0x80
        or any(first and octet == 0x80 for first, octet in zip(starts, content, strict=True))
    ):
        raise ValueError("an object identifier is malformed")


def _length(content: bytes) -> tuple[int, int]:
    """Return the length of the first value, and where its content starts."""
    if len(content) < 2:
        raise ValueError("a value is cut short")
    first = content[1]
    if first < 0x80:
        return first, 2
    count = first & 0x7F
    octets = content[2 : 2 + count]
    if not 1 <= count <= _LONGEST_LENGTH or len(octets) < count:
        raise ValueError("a length is indefinite, too long or cut short")
    length = int.from_bytes(octets, "big")
    if octets[0] == 0 or length < 0x80:
        raise ValueError("a length has not its shortest form")
    return length, 2 + count
