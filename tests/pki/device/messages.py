"""Messages of CMP as a client makes them, whole or broken on purpose (RFC 9810, 5): written here a second time."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import der
from pki.cmp import message
from pki.cmp.message import Kind, Message
from pki.validation import element

_SEQ, _OCTETS = 0x30, 0x04
_SHA256 = bytes.fromhex("300b0609608648016503040201")
_HMAC = {"sha1": bytes.fromhex("300a06082b06010505080102"), "sha256": bytes.fromhex("300c06082a864886f70d02090500")}


def name(text: str) -> bytes:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]).public_bytes()


@dataclass
class Client:
    """A machine: it signs with ``key`` and ``certificate``, or protects by ``secret`` (id and value)."""

    key: ec.EllipticCurvePrivateKey | None = None
    certificate: bytes = b""
    secret: tuple[str, str] = ("", "")
    at: datetime | None = None
    iterations: int = 500
    pbmac1: bool = False
    version: int = 2
    transaction: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    answers: bytes = b""
    info: bytes = b""

    def begin(self) -> "Client":
        """Begin another transaction."""
        self.transaction, self.nonce, self.answers = secrets.token_bytes(16), secrets.token_bytes(16), b""
        return self

    def message(self, kind: int, body: bytes) -> bytes:
        over = der.encode(_SEQ, self.header(), der.encode(0xA0 + kind, body))
        return self.whole(over, self.protection(over))

    def whole(self, over: bytes, protection: bytes) -> bytes:
        ((_, inside),) = der.elements(over)
        proof = der.encode(0xA0, der.encode(0x03, b"\0", protection)) if protection else b""
        extra = der.encode(0xA1, der.encode(_SEQ, self.certificate)) if self.certificate else b""
        return der.encode(_SEQ, inside, proof, extra)

    def header(self) -> bytes:
        sender, kid = name("nobody"), self.secret[0].encode()
        if self.certificate:
            loaded = x509.load_der_x509_certificate(self.certificate)
            sender = loaded.subject.public_bytes()
            kid = loaded.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        octets = ((2, kid), (4, self.transaction), (5, self.nonce), (6, self.answers))
        return der.encode(
            _SEQ,
            der.integer(self.version),
            der.encode(0xA4, sender),
            der.encode(0xA4, name("authority")),
            der.encode(0xA0, der.generalized(self.at)) if self.at else b"",
            der.encode(0xA1, self.algorithm()) if self.key or self.secret[0] else b"",
            *(der.encode(0xA0 + tag, der.encode(_OCTETS, value)) for tag, value in octets if value),
            der.encode(0xA8, der.encode(_SEQ, self.info)) if self.info else b"",
        )

    def algorithm(self) -> bytes:
        if self.key is not None:
            return der.ECDSA_WITH_SHA256
        salt, count = der.encode(_OCTETS, b"salt of sixteen."), der.integer(self.iterations)
        if not self.pbmac1:
            inner = der.encode(_SEQ, salt, _SHA256, count, _HMAC["sha1"])
            return der.encode(_SEQ, der.object_identifier("1.2.840.113533.7.66.13"), inner)
        parameters = der.encode(_SEQ, salt, count, der.integer(32), _HMAC["sha256"])
        function = der.encode(_SEQ, der.object_identifier("1.2.840.113549.1.5.12"), parameters)
        scheme = der.encode(_SEQ, function, _HMAC["sha256"])
        return der.encode(_SEQ, der.object_identifier("1.2.840.113549.1.5.14"), scheme)

    def protection(self, over: bytes) -> bytes:
        if self.key is not None:
            return self.key.sign(over, ec.ECDSA(hashes.SHA256()))
        if not self.secret[0]:
            return b""
        value, salt = self.secret[1].encode(), b"salt of sixteen."
        if self.pbmac1:
            return hmac.digest(hashlib.pbkdf2_hmac("sha256", value, salt, self.iterations, 32), over, "sha256")
        key = value + salt
        for _ in range(min(self.iterations, 1000)):
            key = hashlib.sha256(key).digest()
        return hmac.digest(key, over, "sha1")

    def read(self, answer: bytes) -> Message:
        """Read an answer, and remember what the next message of the transaction answers."""
        found = message.parse(answer)
        assert found.header.transaction == self.transaction
        assert found.header.answers == self.nonce
        self.answers, self.nonce = found.header.nonce, secrets.token_bytes(16)
        return found


def certificate_request(
    key: ec.EllipticCurvePrivateKey,
    *,
    subject: bytes = b"",
    hosts: tuple[str, ...] = (),
    proof: bytes | None = None,
    old: tuple[bytes, int] | None = None,
    identifier: int = 0,
) -> bytes:
    """A CertReqMessages of one request (RFC 4211)."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ((_, public),) = der.elements(spki)
    fields = [der.encode(0xA5, subject or name("fin-budget-app")), der.encode(0xA6, public)]
    if hosts:
        value = x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts]).public_bytes()
        fields.append(der.encode(0xA9, der.extension(der.object_identifier("2.5.29.17"), value)))
    controls = b""
    if old is not None:
        named = der.encode(_SEQ, der.encode(0xA4, old[0]), der.integer(old[1]))
        controls = der.encode(_SEQ, der.encode(_SEQ, der.object_identifier("1.3.6.1.5.5.7.5.1.5"), named))
    request = der.encode(_SEQ, der.integer(identifier), der.encode(_SEQ, *fields), controls)
    if proof is None:
        signature = key.sign(request, ec.ECDSA(hashes.SHA256()))
        proof = der.encode(0xA1, der.ECDSA_WITH_SHA256, der.encode(0x03, b"\0", signature))
    return der.encode(_SEQ, der.encode(_SEQ, request, proof))


def revocation(issuer: bytes, serial: int, reason: int = 4) -> bytes:
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    template = der.encode(_SEQ, der.encode(0x81, octets), der.encode(0xA3, issuer))
    value = der.extension(der.object_identifier("2.5.29.21"), der.integer(reason, 0x0A))
    return der.encode(_SEQ, der.encode(_SEQ, template, der.encode(_SEQ, value)))


def confirmation(certificate: bytes, request: int = 0, *, rejected: bool = False, hashed: bytes = b"") -> bytes:
    status = der.encode(_SEQ, der.integer(2)) if rejected else b""
    hashed = hashed or hashlib.sha256(certificate).digest()
    one = der.encode(_SEQ, der.encode(_OCTETS, hashed), der.integer(request), status)
    return der.encode(_SEQ, one)


def poll(request: int = 0) -> bytes:
    return der.encode(_SEQ, der.encode(_SEQ, der.integer(request)))


def question(*kinds: str, value: bytes = b"") -> bytes:
    return der.encode(_SEQ, *(der.encode(_SEQ, der.object_identifier(one), value) for one in kinds))


@dataclass(frozen=True)
class Said:
    """A PKIStatusInfo: the code, the words, the bit of the failure (-1: none)."""

    code: int
    text: str
    failure: int


def status(content: bytes) -> Said:
    fields = element.split(content)
    words = [inner for one in fields[1:] if one.tag == 0x30 for inner in element.split(one.content)]
    text = "".join(one.content.decode() for one in words)
    bits = fields[-1].content if fields[-1].tag == 0x03 else b""
    failure = next((n for n in range(len(bits[1:]) * 8) if bits[1 + n // 8] & 0x80 >> n % 8), -1)
    return Said(element.integer(fields[0].content), text, failure)


def refusal(found: Message) -> Said:
    """The status of an error."""
    assert found.kind == Kind.ERROR
    return status(element.split(element.only(found.body, _SEQ).content)[0].content)


def response(found: Message) -> tuple[Said, bytes]:
    """Status and certificate of an ip, cp or kup."""
    assert found.kind in (Kind.IP, Kind.CP, Kind.KUP)
    *_public, listed = element.split(element.only(found.body, _SEQ).content)
    (one,) = element.split(listed.content)
    parts = element.split(one.content)
    pair = element.split(parts[2].content)[0].content if len(parts) > 2 else b""
    return status(parts[1].content), pair
