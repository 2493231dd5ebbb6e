"""Targets of what machines send over EST and CMP: none may be taken for what nobody made."""

import base64
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric import ec

from core.errors import TrustError
from pki import form
from pki.cmp import body, message, protection
from pki.cmp.message import Kind
from pki.est import message as est
from tests.pki.device import messages
from tests.pki.device.messages import Client

_KEY = ec.derive_private_key(20261125, ec.SECP256R1())
_SECRET = ("0" * 16, "what an officer made")

_READERS = {
    Kind.IR: body.certificate_request,
    Kind.CR: body.certificate_request,
    Kind.KUR: body.certificate_request,
    Kind.RR: body.revocation,
    Kind.CERTCONF: body.confirmation,
    Kind.POLLREQ: body.poll,
}


def exchange(content: bytes) -> None:
    """A message: read whole, its protection verified; only what was made is protected by the secret."""
    with suppress(TrustError):
        found = message.parse(content)
        assert len(found.certificates) <= message.MOST_CERTIFICATES
        assert found.header.whole in content
        reader = _READERS.get(Kind(found.kind)) if found.kind in tuple(Kind) else None
        if reader is not None:
            with suppress(TrustError):
                reader(found.body)
        if found.kind == Kind.GENM:
            with suppress(TrustError):
                message.parse_values(body.sequence(found.body), 16)
        _protected(found)


def _protected(found: message.Message) -> None:
    reference = protection.reference(found.header)
    if reference is None:
        protection.signer(found)
        raise AssertionError("a signature that nobody made was accepted")
    protection.verify_mac(found, reference.mac, _SECRET[1])
    assert found.protected in {message.parse(one).protected for one in made()}, (
        "a message that nobody made was accepted"
    )


def request(content: bytes) -> None:
    """A certificate request message; only the one that was made is proved."""
    with suppress(TrustError):
        read = form.read(_armoured(content))
        assert read.spki
        assert messages.element.only(content, 0x30).content.startswith(_asked()[:64]), "nobody proved this key"


def enrolment(content: bytes) -> None:
    """The body and the header of an enrolment over EST."""
    with suppress(TrustError):
        form.read(est.parse_body(est.REQUEST, content))
    said = est.parse_basic(content.decode("latin-1"))
    assert said is None or ":" not in said[0]


def made() -> list[bytes]:
    """A message of each kind; times and identifiers are always the same."""
    sender = Client(secret=_SECRET, transaction=bytes(16), nonce=bytes(16), iterations=2)
    asked = messages.certificate_request(_KEY, hosts=("a.fin.example",), old=(messages.name("authority"), 7), proof=b"")
    bodies = (
        (Kind.IR, asked),
        (Kind.RR, messages.revocation(messages.name("authority"), 7)),
        (Kind.CERTCONF, messages.confirmation(b"certificate")),
        (Kind.POLLREQ, messages.poll()),
        (Kind.GENM, messages.question("1.3.6.1.5.5.7.4.17")),
    )
    found = [sender.message(*one) for one in bodies]
    sender.pbmac1 = True
    return [*found, sender.message(*bodies[-1])]


def proved() -> list[bytes]:
    """A CertReqMsg."""
    return [messages.element.only(messages.certificate_request(_KEY, hosts=("a.fin.example",)), 0x30).content]


def _asked() -> bytes:
    return messages.element.only(proved()[0], 0x30).content


def _armoured(content: bytes) -> bytes:
    lines = base64.encodebytes(content)
    return b"-----BEGIN CERTIFICATE REQUEST MESSAGE-----\n" + lines + b"-----END CERTIFICATE REQUEST MESSAGE-----\n"
