"""Reads DER (X.690) strictly: tag, length and value, nothing lenient, whatever the octets are. Pure."""


class Reader:
    """Reads one value after the other. Every method raises ``ValueError`` for what is no DER or not what was asked."""

    def __init__(self, content: bytes) -> None:
        """Read ``content`` from its beginning."""
        self._content = content
        self._at = 0

    def peek(self) -> int | None:
        """Return the tag of the next value, or nothing at the end."""
        return self._content[self._at] if self._at < len(self._content) else None

    def take(self, tag: int) -> bytes:
        """Return the content of the next value, which must have ``tag``."""
        return self._value(tag)[0]

    def take_whole(self, tag: int) -> bytes:
        """Return the next value with its tag and length."""
        return self._value(tag)[1]

    def inside(self, tag: int) -> "Reader":
        """Return a reader of the next value's content."""
        return Reader(self.take(tag))

    def integer(self) -> int:
        """Return the next value, an INTEGER in its shortest form."""
        octets = self.take(0x02)
        if not octets or (len(octets) > 1 and (octets[0], octets[1] >> 7) in ((0, 0), (0xFF, 1))):
            raise ValueError("an INTEGER is not in its shortest form")
        return int.from_bytes(octets, "big", signed=True)

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._content):
            raise ValueError("there is something behind the last value")

    def _value(self, tag: int) -> tuple[bytes, bytes]:
        begin = self._at
        if self.peek() != tag:
            raise ValueError(f"there is no value with the tag {tag:02x}")
        length, at = self._length(begin + 1)
        if at + length > len(self._content):
            raise ValueError("a value is longer than what there is")
        self._at = at + length
        return self._content[at : self._at], self._content[begin : self._at]

    def _length(self, at: int) -> tuple[int, int]:
        """Return a length in its shortest form, and where the value begins."""
        first = self._content[at] if at < len(self._content) else 0x80
        if first < 0x80:
            return first, at + 1
        count = first & 0x7F
        octets = self._content[at + 1 : at + 1 + count]
        if not 1 <= count <= 4 or len(octets) != count or octets[0] == 0:
            raise ValueError("a length cannot be read")
        length = int.from_bytes(octets, "big")
        if length < 0x80:
            raise ValueError("a length is not in its shortest form")
        return length, at + 1 + count
