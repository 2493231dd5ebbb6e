"""OCSP requests read and responses written (RFC 6960, 4): octets in, values out, and the other way. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import reduce

from pki import der
from pki.tlv import Reader

#: Most octets of a request, most certificates in one, and most octets of a nonce (RFC 9654, 2.1).
LARGEST, MOST, LONGEST_NONCE = 4096, 32, 128

#: Contents of the OBJECT IDENTIFIERs id-pkix-ocsp-nonce, SHA-1 and SHA-256; id-pkix-ocsp-basic as a whole.
_NONCE = bytes.fromhex("2b0601050507300102")
SHA1, SHA256 = bytes.fromhex("2b0e03021a"), bytes.fromhex("608648016503040201")
_BASIC = bytes.fromhex("06092b0601050507300101")


class Failure(IntEnum):
    """An OCSPResponseStatus that is none of success (4.2.1)."""

    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    UNAUTHORIZED = 6


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate is asked about: ``algorithm`` is an OBJECT IDENTIFIER's content, ``whole`` the CertID's DER."""

    algorithm: bytes
    name_hash: bytes
    key_hash: bytes
    serial: int
    whole: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """A request; ``understood`` is false when it holds a critical extension that nobody here knows.

    ``plain`` is the one form of a question about one certificate: no version, name, signature or extension.
    """

    about: tuple[CertId, ...]
    nonce: bytes | None
    understood: bool
    plain: bool


@dataclass(frozen=True, slots=True)
class Status:
    """What is told of one certificate: ``good``, ``unknown``, or ``revoked`` with since when and a CRLReason code."""

    word: str
    since: datetime | None = None
    code: int = 0


def parse(content: bytes) -> Question:
    """Read a request. Raises ``ValueError`` for what is none, asks too much, or has a nonce of a wrong length."""
    if len(content) > LARGEST:
        raise ValueError("the request is too large")
    whole = Reader(content)
    request = whole.inside(0x30)
    whole.end()
    asked = request.inside(0x30)
    if request.peek() == 0xA0:
        # A signature over the request: status is for everybody, whoever asks.
        request.take(0xA0)
    request.end()
    if asked.peek() == 0xA0 and asked.inside(0xA0).integer() != 0:
        raise ValueError("the request is of a version that nobody knows")
    if asked.peek() == 0xA1:
        asked.take(0xA1)
    about, understood = _requests(asked.inside(0x30))
    nonce, known = _extensions(asked.inside(0xA2).inside(0x30)) if asked.peek() == 0xA2 else (None, True)
    asked.end()
    return Question(about, nonce, understood and known, content == _plain(about[0]))


def _plain(one: CertId) -> bytes:
    return reduce(lambda inner, _: der.encode(der.SEQUENCE, inner), range(4), one.whole)


def _requests(requests: Reader) -> tuple[tuple[CertId, ...], bool]:
    about, understood = [], True
    while requests.peek() is not None:
        one = requests.inside(0x30)
        about.append(_cert_id(one.take_whole(0x30)))
        if one.peek() == 0xA0:
            _nonce, known = _extensions(one.inside(0xA0).inside(0x30))
            understood = understood and known
        one.end()
    if not 1 <= len(about) <= MOST:
        raise ValueError(f"a request is about 1 to {MOST} certificates")
    return tuple(about), understood


def _cert_id(whole: bytes) -> CertId:
    fields = Reader(whole).inside(0x30)
    algorithm = fields.inside(0x30)
    oid = algorithm.take(0x06)
    if algorithm.peek() == 0x05 and algorithm.take(0x05):
        raise ValueError("a NULL is not empty")
    algorithm.end()
    found = CertId(oid, fields.take(0x04), fields.take(0x04), fields.integer(), whole)
    fields.end()
    # RFC 5280, 4.1.2.2: positive and of at most 20 octets. None of another form can be told of in an answer.
    if found.serial < 0 or found.serial >= 1 << 160:
        raise ValueError("no certificate has such a serial number")
    return found


def _extensions(extensions: Reader) -> tuple[bytes | None, bool]:
    """Return the nonce, and whether every critical extension is known."""
    nonce, understood = None, True
    while extensions.peek() is not None:
        one = extensions.inside(0x30)
        oid = one.take(0x06)
        critical = one.peek() == 0x01 and one.take(0x01) == b"\xff"
        value = one.take(0x04)
        one.end()
        if oid != _NONCE:
            understood = understood and not critical
            continue
        if nonce is not None:
            raise ValueError("there are two nonces")
        octets = Reader(value)
        nonce = octets.take(0x04)
        octets.end()
        if not 1 <= len(nonce) <= LONGEST_NONCE:
            raise ValueError("the nonce is empty or too long")
    return nonce, understood


def single(about: CertId, status: Status, this_update: datetime, next_update: datetime) -> bytes:
    """Return a SingleResponse (4.2.1)."""
    words = {"good": b"\x80\x00", "unknown": b"\x82\x00"}
    said = words.get(status.word) or _revoked(status)
    until = der.encode(0xA0, der.generalized(next_update))
    return der.encode(der.SEQUENCE, about.whole, said, der.generalized(this_update), until)


def _revoked(status: Status) -> bytes:
    assert status.since is not None
    reason = der.encode(0xA0, der.integer(status.code, der.ENUMERATED)) if status.code else b""
    return der.encode(0xA1, der.generalized(status.since), reason)


def response_data(responder: bytes, produced: datetime, singles: Sequence[bytes], nonce: bytes | None) -> bytes:
    """Return what is signed (ResponseData); ``responder`` is the SHA-1 of the responder's key."""
    said = der.encode(der.SEQUENCE, *singles)
    extensions = b""
    if nonce is not None:
        value = der.encode(der.OCTET_STRING, der.encode(der.OCTET_STRING, nonce))
        one = der.encode(der.SEQUENCE, der.encode(0x06, _NONCE), value)
        extensions = der.encode(0xA1, der.encode(der.SEQUENCE, one))
    who = der.encode(0xA2, der.encode(der.OCTET_STRING, responder))
    return der.encode(der.SEQUENCE, who, der.generalized(produced), said, extensions)


def response(data: bytes, signature: bytes, certificate: bytes) -> bytes:
    """Return a successful response, with the responder's certificate in it."""
    signed = der.encode(der.BIT_STRING, b"\x00", signature)
    chain = der.encode(0xA0, der.encode(der.SEQUENCE, certificate))
    basic = der.encode(der.SEQUENCE, data, der.ECDSA_WITH_SHA256, signed, chain)
    inside = der.encode(der.SEQUENCE, _BASIC, der.encode(der.OCTET_STRING, basic))
    return der.encode(der.SEQUENCE, der.integer(0, der.ENUMERATED), der.encode(0xA0, inside))


def failure(status: Failure) -> bytes:
    """Return an unsuccessful response."""
    return der.encode(der.SEQUENCE, der.integer(int(status), der.ENUMERATED))
