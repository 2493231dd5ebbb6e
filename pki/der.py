"""As much DER as a certificate's frame and a CRL need (X.690). Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

SEQUENCE, INTEGER, BIT_STRING, ENUMERATED, OCTET_STRING = 0x30, 0x02, 0x03, 0x0A, 0x04
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18

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
    """Return an extension; ``oid`` is the encoded OBJECT IDENTIFIER."""
    return encode(SEQUENCE, oid, b"\x01\x01\xff" if critical else b"", encode(OCTET_STRING, value))


def join(parts: Iterable[bytes]) -> bytes:
    """Join encoded parts."""
    return b"".join(parts)


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
