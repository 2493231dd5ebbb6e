"""PKIMessages read (RFC 9810, 5.1): strict DER, one message, everything counted. Pure.

Bodies stay octets until somebody wants them: ``body.py``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from pki import der
from pki.cmp.errors import BadMessage, NoMessage
from pki.errors import RefusedPath
from pki.validation import element
from pki.validation.element import BIT_STRING, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, Element, Fields

#: Most octets of a message, most certificates with it, most values in its header's generalInfo.
LARGEST, MOST_CERTIFICATES, MOST_INFO = 131_072, 20, 32

#: Most octets of an identifier, a nonce, a key's identifier: honest ones have sixteen, twenty, thirty-two.
LONGEST = 128


class Kind(IntEnum):
    """Bodies by their tag (RFC 9810, 5.1.2): what is taken or sent, and what is told apart from nonsense."""

    IR = 0
    IP = 1
    CR = 2
    CP = 3
    P10CR = 4
    KUR = 7
    KUP = 8
    RR = 11
    RP = 12
    PKICONF = 19
    NESTED = 20
    GENM = 21
    GENP = 22
    ERROR = 23
    CERTCONF = 24
    POLLREQ = 25
    POLLREP = 26


@dataclass(frozen=True, slots=True)
class Header:
    """A header; names are GeneralNames (DER), ``answers`` is recipNonce, ``info`` holds contents of OIDs and values."""

    whole: bytes
    version: int
    sender: Element
    time: datetime | None
    algorithm: bytes
    key: bytes
    transaction: bytes
    nonce: bytes
    answers: bytes
    info: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A message; ``kind`` is its body's tag, ``protected`` what a protection is over (RFC 9810, 5.1.3)."""

    header: Header
    kind: int
    body: bytes
    protected: bytes
    protection: bytes
    certificates: tuple[bytes, ...]


def parse(content: bytes) -> Message:
    """Read a message. Raises ``NoMessage`` when not even its header can be read, else ``BadMessage``."""
    header = parse_header(content)
    try:
        return _message(content, header)
    except RefusedPath as error:
        raise BadMessage(f"the message cannot be read: {error.detail}") from error


def parse_header(content: bytes) -> Header:
    """Read a message's header, whatever follows. Raises ``NoMessage``."""
    if len(content) > LARGEST:
        raise NoMessage(f"a message has at most {LARGEST} octets")
    try:
        return _header(Fields(element.only(content, SEQUENCE).content, 4).take(SEQUENCE))
    except RefusedPath as error:
        raise NoMessage(f"the octets are no PKIMessage in DER: {error.detail}") from error


def parse_values(content: bytes, most: int) -> tuple[tuple[bytes, bytes], ...]:
    """As ``values``; raises ``BadMessage``."""
    try:
        return values(content, most)
    except RefusedPath as error:
        raise BadMessage(f"the questions cannot be read: {error.detail}") from error


def values(content: bytes, most: int) -> tuple[tuple[bytes, bytes], ...]:
    """Read InfoTypeAndValues that stand one after the other: each OID's content, and its value (DER, or empty)."""
    found = []
    for one in element.split(content, most):
        fields = Fields(element.inside(one, SEQUENCE), 2)
        kind, rest = element.identifier(fields.take(OID).content), element.split(one.content, 2)[1:]
        found.append((kind, rest[0].whole if rest else b""))
    return tuple(found)


def _message(content: bytes, header: Header) -> Message:
    fields = Fields(element.only(content, SEQUENCE).content, 4)
    fields.take(SEQUENCE)
    body = fields.take(*range(0xA0, 0xBB))
    protection, certificates = fields.find(0xA0), fields.find(0xA1)
    fields.end()
    return Message(
        header=header,
        kind=body.tag - 0xA0,
        body=body.content,
        protected=der.encode(SEQUENCE, header.whole, body.whole),
        protection=element.only(protection.content, BIT_STRING).content if protection else b"",
        certificates=_certificates(certificates),
    )


def _certificates(one: Element | None) -> tuple[bytes, ...]:
    if one is None:
        return ()
    listed = element.split(element.only(one.content, SEQUENCE).content, MOST_CERTIFICATES)
    return tuple(element.only(found.whole, SEQUENCE).whole for found in listed)


def _header(one: Element) -> Header:
    fields = Fields(one.content, 12)
    version = element.integer(fields.take(INTEGER).content)
    names = range(0x80, 0xA9)
    sender, _recipient = fields.take(*names), fields.take(*names)
    time, algorithm = fields.find(0xA0), fields.find(0xA1)
    octets = [_octets(fields.find(tag)) for tag in (0xA2, 0xA3, 0xA4, 0xA5, 0xA6)]
    _text, info = fields.find(0xA7), fields.find(0xA8)
    fields.end()
    return Header(
        whole=one.whole,
        version=version,
        sender=sender,
        time=element.time(element.only(time.content, GENERALIZED_TIME)) if time else None,
        algorithm=element.only(algorithm.content, SEQUENCE).whole if algorithm else b"",
        key=octets[0],
        transaction=octets[2],
        nonce=octets[3],
        answers=octets[4],
        info=values(element.only(info.content, SEQUENCE).content, MOST_INFO) if info else (),
    )


def _octets(one: Element | None) -> bytes:
    if one is None:
        return b""
    found = element.only(one.content, OCTET_STRING).content
    if len(found) > LONGEST:
        raise NoMessage(f"an identifier or nonce has at most {LONGEST} octets")
    return found
