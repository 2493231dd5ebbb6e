"""Bodies of requests read (RFC 9810, 5.3): each to what is done with it. Pure."""

from dataclasses import dataclass

from pki import crmf
from pki.cmp.errors import BadMessage, BadRequest
from pki.crmf import Message as CertificateRequest
from pki.errors import RefusedPath
from pki.validation import element
from pki.validation.element import ENUMERATED, INTEGER, OCTET_STRING, OID, SEQUENCE, Fields

#: id-ce-cRLReasons (RFC 5280, 5.3.1).
_REASON = element.octets_of("2.5.29.21")

#: Most extensions of a revocation request.
_MOST = 8


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate that is to be revoked: its issuer's Name (DER), its serial number, and the code of the reason."""

    issuer: bytes
    serial: int
    reason: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a machine says of the certificate it got; ``hash_algorithm`` is an OID's content, or empty."""

    request: int
    hashed: bytes
    hash_algorithm: bytes
    accepted: bool


def certificate_request(content: bytes) -> CertificateRequest:
    """Read the one request of an ir, cr or kur. Raises ``BadMessage``, ``BadRequest``, ``RequestTooLarge``."""
    return crmf.parse_message(_single(content, "certificate request"))


def revocation(content: bytes) -> Revocation:
    """Read the one certificate of an rr. Raises ``BadMessage``, ``BadRequest``."""
    one = _single(content, "certificate to be revoked")
    try:
        fields = Fields(element.only(one, SEQUENCE).content, 2)
        template, extensions = Fields(fields.take(SEQUENCE).content, 10), fields.find(SEQUENCE)
        fields.end()
        template.find(0x80)
        serial = template.find(0x81)
        template.find(0xA2)
        issuer = template.find(0xA3)
        if serial is None or issuer is None:
            raise BadRequest("a revocation request names issuer and serial number (RFC 9483, 4.2)")
        reason = _reason(extensions.content) if extensions else 0
        return Revocation(element.only(issuer.content, SEQUENCE).whole, element.integer(serial.content), reason)
    except RefusedPath as error:
        raise BadMessage(f"the revocation request cannot be read: {error.detail}") from error


def confirmation(content: bytes) -> Confirmation:
    """Read the one status of a certConf. Raises ``BadMessage``, ``BadRequest``."""
    one = _single(content, "certificate status")
    try:
        fields = Fields(element.only(one, SEQUENCE).content, 4)
        hashed, request = fields.take(OCTET_STRING).content, element.integer(fields.take(INTEGER).content)
        status, algorithm = fields.find(SEQUENCE), fields.find(0xA0)
        fields.end()
        kind = b""
        if algorithm is not None:
            kind = Fields(element.only(algorithm.content, SEQUENCE).content, 2).take(OID).content
        # No status means accepted (RFC 9810, 5.3.18); so do 0 and, with modifications, 1.
        code = element.integer(Fields(status.content, 3).take(INTEGER).content) if status else 0
        return Confirmation(request, hashed, kind, code in (0, 1))
    except RefusedPath as error:
        raise BadMessage(f"the confirmation cannot be read: {error.detail}") from error


def poll(content: bytes) -> int:
    """Read which request a pollReq is about. Raises ``BadMessage``, ``BadRequest``."""
    one = _single(content, "request that is asked about")
    try:
        fields = Fields(element.only(one, SEQUENCE).content, 1)
        return element.integer(fields.take(INTEGER).content)
    except RefusedPath as error:
        raise BadMessage(f"the question cannot be read: {error.detail}") from error


def sequence(content: bytes) -> bytes:
    """Return the content of a body that is one SEQUENCE. Raises ``BadMessage``."""
    try:
        return element.only(content, SEQUENCE).content
    except RefusedPath as error:
        raise BadMessage(f"the body cannot be read: {error.detail}") from error


def _single(content: bytes, what: str) -> bytes:
    """Return the only member of a body (RFC 9483, 4.1.1: exactly one), for there is no half of an answer."""
    try:
        listed = element.split(sequence(content), 64)
    except RefusedPath as error:
        raise BadMessage(f"the body cannot be read: {error.detail}") from error
    if len(listed) != 1:
        raise BadRequest(f"a message has exactly one {what}, not {len(listed)}")
    return listed[0].whole


def _reason(extensions: bytes) -> int:
    """Return the reason code of crlEntryDetails; what else stands there is not taken."""
    found = 0
    for one in element.split(extensions, _MOST):
        fields = Fields(element.inside(one, SEQUENCE), 3)
        kind = fields.take(OID).content
        fields.find(element.BOOLEAN)
        value = fields.take(OCTET_STRING).content
        if kind != _REASON:
            raise BadRequest(f"the extension {element.dotted(kind)} of a revocation is not taken")
        found = element.integer(element.only(value, ENUMERATED).content)
    return found
