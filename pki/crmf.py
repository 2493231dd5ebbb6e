"""Certificate request messages (RFC 4211): read strictly, the key's possession proved by its own signature. Pure.

Inside of the product such a message stands in an armour of its own, so that what takes a request takes either form.
"""

import base64
import binascii
import textwrap
from dataclasses import dataclass

from pki import csr, der
from pki.csr import CertificationRequest
from pki.errors import BadRequest, BrokenProof, RefusedPath, RequestTooLarge
from pki.validation import element, signature
from pki.validation.element import BIT_STRING, INTEGER, OID, SEQUENCE, Element, Fields
from pki.validation.signature import MODERN

_BEGIN, _END = b"-----BEGIN CERTIFICATE REQUEST MESSAGE-----", b"-----END CERTIFICATE REQUEST MESSAGE-----"

#: CertTemplate's fields (RFC 4211, 5): those that are taken, and all that there are.
_ISSUER, _VALIDITY, _SUBJECT, _PUBLIC_KEY, _EXTENSIONS = 0xA3, 0xA4, 0xA5, 0xA6, 0xA9
_FIELDS = (0x80, 0x81, 0xA2, _ISSUER, _VALIDITY, _SUBJECT, _PUBLIC_KEY, 0x87, 0x88, _EXTENSIONS)

#: ProofOfPossession by a signature, and POPOSigningKeyInput inside of it (RFC 4211, 4.1).
_SIGNED, _INPUT = 0xA1, 0xA0

#: id-regCtrl-oldCertID (RFC 4211, 6.5), and directoryName of GeneralName.
_OLD = element.octets_of("1.3.6.1.5.5.7.5.1.5")
_DIRECTORY = 0xA4

#: Most controls of a request.
_MOST = 16

_EMPTY_NAME = bytes.fromhex("3000")


@dataclass(frozen=True, slots=True)
class OldCertificate:
    """The certificate that is to be updated: its issuer's Name (DER, empty when it is no such) and serial number."""

    issuer: bytes
    serial: int


@dataclass(frozen=True, slots=True)
class Message:
    """One CertReqMsg; ``subject``, ``spki`` and ``extensions`` are DER, ``dated`` says that a validity is asked for."""

    whole: bytes
    identifier: int
    subject: bytes
    spki: bytes
    extensions: bytes
    dated: bool
    old: OldCertificate | None
    request: bytes
    proof: Element | None

    @property
    def armoured(self) -> bytes:
        """Return it in its armour."""
        lines = textwrap.wrap(base64.b64encode(self.whole).decode("ascii"), 64)
        return b"\n".join([_BEGIN, *(line.encode("ascii") for line in lines), _END]) + b"\n"

    def proved(self) -> CertificationRequest:
        """Return what it asks for, once its key is proved. Raises ``BadRequest``, ``WeakKey``, ``BrokenProof``."""
        read = csr.parse_template(self.subject, self.spki, self.extensions)
        try:
            self._verify()
        except RefusedPath as error:
            raise BrokenProof(
                f"the request's proof of possession does not hold: {error.detail}",
                hint="sign the CertRequest with the key that it names (RFC 4211, 4.1)",
            ) from error
        return read

    def _verify(self) -> None:
        if self.proof is None or self.proof.tag != _SIGNED:
            raise BrokenProof("the request's key is not proved by a signature (RFC 4211, 4.1)")
        fields = Fields(self.proof.content)
        if fields.find(_INPUT) is not None:
            raise BrokenProof("a proof over poposkInput is for requests without a subject or key (RFC 4211, 4.1)")
        algorithm, value = fields.take(SEQUENCE), fields.take(BIT_STRING)
        fields.end()
        signature.verify(signature.load(self.spki), algorithm.whole, self.request, value.content, MODERN)


def is_armoured(octets: bytes) -> bool:
    """Say whether these octets are such a message in its armour."""
    return octets.lstrip().startswith(_BEGIN)


def parse(octets: bytes) -> Message:
    """Read an armoured message. Raises ``RequestTooLarge``, ``BadRequest``."""
    if len(octets) > csr.LARGEST:
        raise RequestTooLarge(f"the request has {len(octets)} octets, more than {csr.LARGEST}")
    inner = octets.strip().removeprefix(_BEGIN).removesuffix(_END)
    try:
        return parse_message(base64.b64decode(b"".join(inner.split()), validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadRequest("the request message cannot be read from its armour") from error


def parse_message(whole: bytes) -> Message:
    """Read a CertReqMsg (DER). Raises ``RequestTooLarge``, ``BadRequest``."""
    if len(whole) > csr.LARGEST:
        raise RequestTooLarge(f"the request has {len(whole)} octets, more than {csr.LARGEST}")
    try:
        return _parse(whole)
    except RefusedPath as error:
        raise BadRequest(f"the request message cannot be read: {error.detail}") from error


def _parse(whole: bytes) -> Message:
    outer = Fields(element.only(whole, SEQUENCE).content, 3)
    request = outer.take(SEQUENCE)
    proof = outer.find(0x80, _SIGNED, 0xA2, 0xA3)
    outer.find(SEQUENCE)
    outer.end()
    inner = Fields(request.content, 3)
    identifier = element.integer(inner.take(INTEGER).content)
    template, controls = _template(inner.take(SEQUENCE)), inner.find(SEQUENCE)
    inner.end()
    if not -1 <= identifier < 2**31:
        raise BadRequest("certReqId is out of all bounds")
    key, extensions = template.get(_PUBLIC_KEY), template.get(_EXTENSIONS)
    if key is None:
        raise BadRequest("the certificate template names no public key: keys are made by who uses them")
    return Message(
        whole=whole,
        identifier=identifier,
        subject=element.only(template[_SUBJECT].content, SEQUENCE).whole if _SUBJECT in template else _EMPTY_NAME,
        spki=der.encode(SEQUENCE, key.content),
        extensions=der.encode(SEQUENCE, extensions.content) if extensions is not None else b"",
        dated=_VALIDITY in template,
        old=_old(controls),
        request=request.whole,
        proof=proof,
    )


def _template(one: Element) -> dict[int, Element]:
    fields = Fields(one.content, len(_FIELDS))
    found = {tag: value for tag in _FIELDS if (value := fields.find(tag)) is not None}
    fields.end()
    if 0x81 in found or 0xA2 in found:
        raise BadRequest("serial number and signature algorithm are the authority's to choose (RFC 4211, 5)")
    return found


def _old(controls: Element | None) -> OldCertificate | None:
    """Return which certificate the controls name; what else they say is no business of ours (RFC 4211, 6)."""
    if controls is None:
        return None
    for one in element.split(controls.content, _MOST):
        fields = Fields(element.inside(one, SEQUENCE), 2)
        if fields.take(OID).content == _OLD:
            named = Fields(fields.take(SEQUENCE).content, 2)
            issuer, serial = named.take(*range(0xA0, 0xA9), *range(0x80, 0x89)), named.take(INTEGER)
            named.end()
            return OldCertificate(issuer.content if issuer.tag == _DIRECTORY else b"", element.integer(serial.content))
    return None
