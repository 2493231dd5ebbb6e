"""The to-be-signed list (RFC 5280, 5): a few octets before and behind entries that are encoded already. Pure.

A list of a million entries is 49 MB: it is put together once, hashed in three pieces, and never taken apart.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from pki import der, pointers

#: What a list is about: all of an authority's revocations, what changed since a base, or (a number) one shard.
FULL, DELTA = "full", "delta"

#: OBJECT IDENTIFIERs of RFC 5280: authorityKeyIdentifier, cRLNumber, deltaCRLIndicator, issuingDistributionPoint,
#: freshestCRL.
_AUTHORITY_KEY, _NUMBER = bytes.fromhex("0603551d23"), bytes.fromhex("0603551d14")
_DELTA_INDICATOR, _ISSUING_POINT = bytes.fromhex("0603551d1b"), bytes.fromhex("0603551d1c")
_FRESHEST = bytes.fromhex("0603551d2e")


@dataclass(frozen=True, slots=True)
class Frame:
    """What every list of an authority begins with: its name (DER) and its key's identifier (DER extension value)."""

    issuer: bytes
    key: bytes

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "Frame":
        """Return the frame of an authority's lists."""
        public = certificate.public_key()
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)  # type: ignore[arg-type]  # P-256
        return cls(certificate.subject.public_bytes(), identifier.public_bytes())


@dataclass(frozen=True, slots=True)
class ToBeSigned:
    """``head`` and ``tail`` are what stands before and after the joined ``entries``."""

    head: bytes
    entries: bytes | bytearray
    tail: bytes

    def digest(self) -> bytes:
        """Return the SHA-256 of the whole."""
        hashed = hashlib.sha256(self.head)
        hashed.update(self.entries)
        hashed.update(self.tail)
        return hashed.digest()

    def signed(self, signature: bytes) -> tuple[bytes, int]:
        """Return the list (DER), and where in it the entries begin."""
        behind = der.ECDSA_WITH_SHA256 + der.encode(der.BIT_STRING, b"\x00", signature)
        count = len(self.head) + len(self.entries) + len(self.tail) + len(behind)
        outer = der.header(der.SEQUENCE, count)
        return b"".join((outer, self.head, self.entries, self.tail, behind)), len(outer) + len(self.head)


def encode(
    frame: Frame,
    number: int,
    times: tuple[datetime, datetime],
    entries: bytes | bytearray,
    extensions: Sequence[bytes] = (),
) -> ToBeSigned:
    """Return a list (RFC 5280, 5.1.2) of this and next update; no revokedCertificates at all when there is no entry.

    ``extensions`` come behind the authority's key identifier and the list's number.
    """
    always = (der.extension(_AUTHORITY_KEY, frame.key), der.extension(_NUMBER, der.integer(number)))
    tail = der.encode(0xA0, der.encode(der.SEQUENCE, *always, *extensions))
    begin = (der.integer(1), der.ECDSA_WITH_SHA256, frame.issuer, der.time(times[0]), der.time(times[1]))
    listed = der.header(der.SEQUENCE, len(entries)) if entries else b""
    inside = b"".join((*begin, listed))
    return ToBeSigned(der.header(der.SEQUENCE, len(inside) + len(entries) + len(tail)) + inside, entries, tail)


def delta_indicator(base: int) -> bytes:
    """Return the critical extension that makes a list a delta of the list ``base`` (RFC 5280, 5.2.4)."""
    return der.extension(_DELTA_INDICATOR, der.integer(base), critical=True)


def issuing_point(public_url: str, issuer: str, shard: int) -> bytes:
    """Return the critical extension that confines a list to one shard, by the address in its certificates (5.2.5)."""
    address = pointers.shard_address(public_url, issuer, shard)
    name = der.encode(0xA0, der.encode(0xA0, der.encode(0x86, address.encode("ascii"))))
    return der.extension(_ISSUING_POINT, der.encode(der.SEQUENCE, name), critical=True)


def freshest(public_url: str, issuer: str) -> bytes:
    """Return the extension of a full list that says where its delta is (RFC 5280, 5.2.6)."""
    name = x509.UniformResourceIdentifier(pointers.delta_address(public_url, issuer))
    return der.extension(_FRESHEST, x509.FreshestCRL([x509.DistributionPoint([name], None, None, None)]).public_bytes())
