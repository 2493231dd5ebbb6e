"""What is asked for: TimeStampReq (RFC 3161, 2.4.1), read strictly. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pki.tsa import tlv
from pki.tsa.errors import Failure, StampRefused
from pki.tsa.tlv import Reader, Value

#: Most octets of a request: with SHA-512, a policy and the longest nonce it has under three hundred.
LARGEST = 4_096

#: Most octets of a nonce; clients take eight.
LONGEST_NONCE = 64

_BOOLEAN, _INTEGER, _OCTETS, _OID, _SEQUENCE = 0x01, 0x02, 0x04, 0x06, 0x30

#: What may stand behind a hash's OBJECT IDENTIFIER: nothing, or NULL (RFC 5754, 2).
_PARAMETERS = (b"", b"\x05\x00")

#: ``extensions``: [0] IMPLICIT.
_EXTENSIONS = 0xA0

#: Hashes that are stamped, by their encoded OBJECT IDENTIFIER (RFC 5754, 2): name and octets.
ALGORITHMS: Mapping[bytes, tuple[str, int]] = {
    bytes.fromhex("0609608648016503040201"): ("sha256", 32),
    bytes.fromhex("0609608648016503040202"): ("sha384", 48),
    bytes.fromhex("0609608648016503040203"): ("sha512", 64),
}


@dataclass(frozen=True, slots=True)
class Query:
    """A request that can be granted as far as its own content goes.

    ``imprint`` (MessageImprint), ``policy`` (OBJECT IDENTIFIER) and ``nonce`` (INTEGER) are the octets as they came,
    because the answer repeats them; ``hashed`` is the hash and ``algorithm`` its name.
    """

    imprint: bytes
    algorithm: str
    hashed: bytes
    policy: bytes | None
    nonce: bytes | None
    certificates: bool


def parse_request(content: bytes) -> Query:
    """Return what is asked for. Raises ``StampRefused`` with the failure that the protocol has for what is wrong."""
    if len(content) > LARGEST:
        raise StampRefused(Failure.BAD_REQUEST, f"a request has at most {LARGEST} octets")
    try:
        return _parse(content)
    except ValueError as error:
        raise StampRefused(Failure.BAD_DATA_FORMAT, f"the request is no TimeStampReq in DER: {error}") from error


def _parse(content: bytes) -> Query:
    outer = Reader(content)
    fields = Reader(outer.next(_SEQUENCE).content)
    outer.end()
    version, imprint = fields.next(_INTEGER), fields.next(_SEQUENCE)
    policy, nonce = fields.optional(_OID), fields.optional(_INTEGER)
    certificates, extensions = fields.optional(_BOOLEAN), fields.optional(_EXTENSIONS)
    fields.end()
    _check_version(version)
    algorithm, hashed = _imprint(imprint)
    if policy is not None:
        tlv.check_oid(policy)
    if extensions is not None:
        # Critical or not: none is known here (RFC 3161, 2.4.1).
        raise StampRefused(Failure.UNACCEPTED_EXTENSION, "no extension of a request is known here")
    return Query(
        imprint=imprint.whole,
        algorithm=algorithm,
        hashed=hashed,
        policy=policy.whole if policy else None,
        nonce=_nonce(nonce),
        certificates=_is_true(certificates),
    )


def _check_version(version: Value) -> None:
    tlv.check_integer(version)
    if version.content != b"\x01":
        raise StampRefused(Failure.BAD_REQUEST, "requests of version 1 are answered")


def _imprint(imprint: Value) -> tuple[str, bytes]:
    fields = Reader(imprint.content)
    identifier, hashed = Reader(fields.next(_SEQUENCE).content), fields.next(_OCTETS)
    fields.end()
    oid = identifier.next(_OID)
    tlv.check_oid(oid)
    known = ALGORITHMS.get(oid.whole)
    if known is None or identifier.rest() not in _PARAMETERS:
        raise StampRefused(Failure.BAD_ALG, "hashes of SHA-256, SHA-384 and SHA-512 are stamped, without parameters")
    name, octets = known
    if len(hashed.content) != octets:
        raise ValueError(f"a hash of {name} has {octets} octets, not {len(hashed.content)}")
    return name, hashed.content


def _nonce(nonce: Value | None) -> bytes | None:
    if nonce is None:
        return None
    tlv.check_integer(nonce)
    if len(nonce.content) > LONGEST_NONCE:
        raise StampRefused(Failure.BAD_REQUEST, f"a nonce has at most {LONGEST_NONCE} octets")
    return nonce.whole


def _is_true(value: Value | None) -> bool:
    """Return a BOOLEAN DEFAULT FALSE; that FALSE is written out is against DER, and does no harm."""
    if value is None:
        return False
    if value.content not in (b"\x00", b"\xff"):
        raise ValueError("a boolean is neither true nor false")
    return value.content == b"\xff"
