"""PKIMessages written (RFC 9810, 5): headers, bodies, and the whole. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pki import der
from pki.cmp.failure import Failure
from pki.cmp.message import Header, Kind
from pki.validation.element import BIT_STRING, OCTET_STRING, OID, SEQUENCE, octets_of

#: PKIStatus (RFC 9810, 5.2.3).
ACCEPTED, WITH_MODIFICATIONS, REJECTION, WAITING = 0, 1, 2, 3

#: id-it-implicitConfirm and id-it-confirmWaitTime (RFC 9810, 5.1.1).
IMPLICIT_CONFIRM, CONFIRM_WAIT_TIME = octets_of("1.3.6.1.5.5.7.4.13"), octets_of("1.3.6.1.5.5.7.4.14")

_DIRECTORY_NAME, _UTF8, _NULL = 0xA4, 0x0C, b"\x05\x00"

Body = tuple[Kind, bytes]
Info = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Frame:
    """What an answer's header says beside that it answers: names, algorithm and key of its protection, its own nonce.

    ``name`` is a Name (DER), ``algorithm`` an AlgorithmIdentifier (DER, or empty), ``key`` senderKID.
    """

    name: bytes
    algorithm: bytes
    key: bytes
    nonce: bytes
    time: datetime
    info: Sequence[Info] = ()


def protected(to: Header, frame: Frame, body: Body) -> bytes:
    """Return what an answer's protection is over: its header and body."""
    return der.encode(SEQUENCE, _header(to, frame), der.encode(0xA0 + body[0], body[1]))


def message(over: bytes, protection: bytes, certificates: Sequence[bytes]) -> bytes:
    """Return the message whose protected part is ``over``; an empty ``protection`` is none."""
    ((_, inside),) = der.elements(over)
    proof = der.encode(0xA0, der.encode(BIT_STRING, b"\x00", protection)) if protection else b""
    extra = der.encode(0xA1, der.encode(SEQUENCE, *certificates)) if certificates else b""
    return der.encode(SEQUENCE, inside, proof, extra)


def status(code: int, text: str = "", failure: Failure | None = None) -> bytes:
    """Return a PKIStatusInfo."""
    said = der.encode(SEQUENCE, der.encode(_UTF8, text.encode()[:1000].decode("utf-8", "ignore").encode()))
    bits = b"" if failure is None else der.encode(BIT_STRING, _bits(failure))
    return der.encode(SEQUENCE, der.integer(code), said if text else b"", bits)


def issued(kind: Kind, request: int, said: bytes, certificate: bytes, roots: Sequence[bytes] = ()) -> Body:
    """Return an ip, cp or kup: ``said`` a PKIStatusInfo, with a certificate (DER) or without one (empty)."""
    pair = der.encode(SEQUENCE, der.encode(0xA0, certificate)) if certificate else b""
    one = der.encode(SEQUENCE, signed_integer(request), said, pair)
    public = der.encode(0xA1, der.encode(SEQUENCE, *roots)) if roots else b""
    return kind, der.encode(SEQUENCE, public, der.encode(SEQUENCE, one))


def revoked(said: bytes, issuer: bytes = b"", serial: int = 0) -> Body:
    """Return an rp; ``issuer`` is a Name (DER), empty where nothing was revoked."""
    name = der.encode(_DIRECTORY_NAME, issuer)
    which = der.encode(0xA0, der.encode(SEQUENCE, der.encode(SEQUENCE, name, der.integer(serial)))) if issuer else b""
    return Kind.RP, der.encode(SEQUENCE, der.encode(SEQUENCE, said), which)


def confirmed() -> Body:
    """Return a pkiconf."""
    return Kind.PKICONF, _NULL


def told(values: Sequence[Info]) -> Body:
    """Return a genp."""
    return Kind.GENP, der.encode(SEQUENCE, *(information(*one) for one in values))


def wait(request: int, seconds: int, reason: str) -> Body:
    """Return a pollRep."""
    text = der.encode(SEQUENCE, der.encode(_UTF8, reason.encode()))
    one = der.encode(SEQUENCE, signed_integer(request), der.integer(seconds), text)
    return Kind.POLLREP, der.encode(SEQUENCE, one)


def refused(said: bytes) -> Body:
    """Return an error; ``said`` is a PKIStatusInfo."""
    return Kind.ERROR, der.encode(SEQUENCE, said)


def information(kind: bytes, value: bytes) -> bytes:
    """Return an InfoTypeAndValue; ``kind`` is an OID's content."""
    return der.encode(SEQUENCE, der.encode(OID, kind), value)


def signed_integer(value: int) -> bytes:
    """Return an INTEGER that may be negative: a PKCS #10 request is answered under -1 (RFC 9483, 4.1.4)."""
    return bytes.fromhex("0201ff") if value == -1 else der.integer(value)


def _header(to: Header, frame: Frame) -> bytes:
    info = [information(*one) for one in frame.info]
    optional = ((2, frame.key), (4, to.transaction), (5, frame.nonce), (6, to.nonce))
    return der.encode(
        SEQUENCE,
        der.integer(to.version if to.version in (2, 3) else 2),
        der.encode(_DIRECTORY_NAME, frame.name),
        to.sender.whole,
        der.encode(0xA0, der.generalized(frame.time)),
        der.encode(0xA1, frame.algorithm) if frame.algorithm else b"",
        *(der.encode(0xA0 + tag, der.encode(OCTET_STRING, octets)) for tag, octets in optional if octets),
        der.encode(0xA8, der.encode(SEQUENCE, *info)) if info else b"",
    )


def _bits(failure: Failure) -> bytes:
    """Return a BIT STRING with one bit set: named bits end with the last that is set (X.690, 11.2.2)."""
    octets = failure // 8 + 1
    return bytes([7 - failure % 8]) + (1 << (8 * octets - 1 - failure)).to_bytes(octets, "big")
