"""As much DER as a certificate's frame and a CRL need (X.690). Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

SEQUENCE, SET, INTEGER, BIT_STRING, ENUMERATED, OCTET_STRING = 0x30, 0x31, 0x02, 0x03, 0x0A, 0x04
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
UTF8_STRING, PRINTABLE_STRING = 0x0C, 0x13

#: BOOLEAN true, as a critical extension has it.
_TRUE = b"\x01\x01\xff"

#: ecdsa-with-SHA256 as an AlgorithmIdentifier without parameters (RFC 5758, 3.2).
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def encode(tag: int, *contents: bytes) -> bytes:
    """Return a value of ``tag`` with the joined ``contents``."""
    content = b"".join(contents)
    return header(tag, len(content)) + content


def header(tag: int, count: int) -> bytes:
    """Return what stands before ``count`` octets of content."""
    return bytes([tag]) + _length(count)


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Return an INTEGER (or ENUMERATED) that is not negative."""
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def time(moment: datetime) -> bytes:
    """Return a Time: UTCTime until 2049, then GeneralizedTime (RFC 5280, 4.1.2.5)."""
    moment = moment.astimezone(UTC)
    if moment.year < 2050:
        return encode(UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    return generalized(moment)


def generalized(moment: datetime) -> bytes:
    """Return a GeneralizedTime, to the second (RFC 5280, 4.1.2.5.2)."""
    return encode(GENERALIZED_TIME, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode("ascii"))


def signed(to_be_signed: bytes, signature: bytes) -> bytes:
    """Return SEQUENCE { tbs, ecdsa-with-SHA256, BIT STRING }: a certificate or a CRL."""
    return encode(SEQUENCE, to_be_signed, ECDSA_WITH_SHA256, encode(BIT_STRING, b"\x00", signature))


def extension(oid: bytes, value: bytes, *, critical: bool = False) -> bytes:
    """Return an extension; ``oid`` is the encoded OBJECT IDENTIFIER, ``value`` the DER of what it says."""
    return encode(SEQUENCE, oid, _TRUE if critical else b"", encode(OCTET_STRING, value))


def object_identifier(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER from its dotted form (X.690, 8.19)."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    return encode(0x06, *(_base128(part) for part in (40 * first + second, *rest)))


def elements(content: bytes) -> list[tuple[int, bytes]]:
    """Take encoded values that stand one after the other apart into tags and contents. Raises ``ValueError``."""
    found, at = [], 0
    while at < len(content):
        if at + 2 > len(content):
            raise ValueError("a value ends in its header")
        tag, length, start = content[at], content[at + 1], at + 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(content[at + 2 : start], "big")
        at = start + length
        if at > len(content):
            raise ValueError("a value is cut off")
        found.append((tag, content[start:at]))
    return found


def join(parts: Iterable[bytes]) -> bytes:
    """Join encoded parts."""
    return b"".join(parts)


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(0x80 | value & 0x7F)
    return bytes(reversed(octets))


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
