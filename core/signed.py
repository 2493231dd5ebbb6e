"""An act signed by its person's own key: the text both sides build alike, and its verification. Pure.

The text is canonical JSON (RFC 8785) of exactly ``act at digest object origin person v``. What it is about stands in
``digest`` (see ``digest``), so a signature says nothing about any other object, body or installation. One algorithm for
each kind of key, chosen by the key of the certificate and never by whoever signs:

- EC P-256: ECDSA with SHA-256; EC P-384: ECDSA with SHA-384 (FIPS 186-5), the signature as DER
- RSA from 3072 bits: RSASSA-PSS with SHA-256, or RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017), whichever verifies
- Ed25519 (RFC 8032)

The evidence of a signed act carries ``details["signed"] = {"text", "signature", "certificate"}``: the text itself, the
others in base64. Whoever holds them and the trusted root needs nothing else to check them again.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import rfc8785
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from core.clock import from_rfc3339, to_rfc3339
from core.errors import Malformed, Rejected
from core.rule import SIGNED

Json = str | int | bool | None | Sequence["Json"] | Mapping[str, "Json"]

#: How far the time that a person states may lie from the clock of whoever checks it.
TOLERANCE = timedelta(minutes=5)

#: RSA below this is no signature of a person (the same bound as for certificates).
SHORTEST_RSA = 3072

#: Octets: no signature of ours is longer (RSA of 16,384 bits).
LONGEST_SIGNATURE = 2048


class BadSignature(Rejected):
    """A signed act is not what it should be; nothing is done."""

    reason = "bad-signature"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person states: ``act`` (such as ``approval.approve``) on ``object``, about ``digest``, at their time.

    ``digest`` is 64 hexadecimal digits, ``origin`` the name of the installation's evidence log.
    """

    act: str
    object: str
    digest: str
    person: str
    at: datetime
    origin: str

    @property
    def text(self) -> str:
        """Return the canonical text, which is what is signed (UTF-8)."""
        content: dict[str, Json] = {
            "v": 1,
            "act": self.act,
            "object": self.object,
            "digest": self.digest,
            "person": self.person,
            "at": to_rfc3339(self.at),
            "origin": self.origin,
        }
        return canonical(content).decode()


@dataclass(frozen=True, slots=True)
class SignedAct:
    """A statement whose signature verified: made only by ``verify_act``."""

    statement: Statement
    signature: bytes
    certificate: bytes

    @property
    def identifier(self) -> str:
        """Return 32 hexadecimal digits that no other statement has: the same statement again is the same act."""
        return hashlib.sha256(self.statement.text.encode()).hexdigest()[:32]

    def details(self) -> dict[str, Json]:
        """Return what evidence keeps under ``signed``."""
        return {
            "text": self.statement.text,
            "signature": base64.b64encode(self.signature).decode(),
            "certificate": base64.b64encode(self.certificate).decode(),
        }


def plain(value: object) -> Json:
    """Return ``value`` as JSON that is alike on every machine. Raises ``Malformed`` for a fraction, or another type."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    raise Malformed(f"only texts, whole numbers, truth and nothing can be signed, not a {type(value).__name__}")


def canonical(value: object) -> bytes:
    """Return RFC 8785 octets of ``value``. Raises ``Malformed`` for what is not the same on every machine."""
    try:
        return rfc8785.dumps(plain(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise Malformed(f"this cannot be written as canonical JSON: {error}") from error


def digest(value: object) -> str:
    """Return SHA-256 over the canonical JSON of ``value``, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def parse_moment(text: str) -> datetime:
    """Read a stated time: UTC with milliseconds and ``Z``, exactly as records print it. Raises ``Malformed``."""
    try:
        moment = from_rfc3339(text)
    except ValueError as error:
        raise Malformed(f"`{text[:40]}` is not a time in UTC with milliseconds") from error
    if to_rfc3339(moment) != text:
        raise Malformed(f"`{text[:40]}` is not a time in UTC with milliseconds")
    return moment


def parse_signature(text: str) -> bytes:
    """Read a signature in base64. Raises ``Malformed``."""
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise Malformed("a signature is written in base64") from error
    if not 0 < len(content) <= LONGEST_SIGNATURE:
        raise Malformed(f"a signature of {len(content)} octets is none of ours")
    return content


def verify_act(statement: Statement, signature: bytes, certificate: bytes, *, now: datetime) -> SignedAct:
    """Return the act when ``signature`` is that of the DER ``certificate``'s key over the statement, made just now.

    Raises ``BadSignature``. Whether the certificate is good, and whose it is, the caller has established.
    """
    if abs(now - statement.at) > TOLERANCE:
        hint = f"set the clock of your machine; here it is {to_rfc3339(now)}"
        raise BadSignature("the signed time is more than five minutes from ours", hint=hint, rule=str(SIGNED))
    key = _key(certificate)
    if not any(_holds(check, key, signature, statement.text.encode()) for check in _CHECKS):
        raise BadSignature(
            "the signature is not that of your certificate's key over what was asked for",
            hint="sign with the key you are logged in with; what was shown may have changed meanwhile: look again",
            rule=str(SIGNED),
        )
    return SignedAct(statement, signature, certificate)


def _key(certificate: bytes) -> object:
    try:
        return x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSignature("the certificate's key cannot be used to sign", rule=str(SIGNED)) from error


def _by_curve(key: object, signature: bytes, text: bytes) -> bool:
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES:
        return False
    key.verify(signature, text, ec.ECDSA(_CURVES[key.curve.name]))
    return True


def _by_rsa_pss(key: object, signature: bytes, text: bytes) -> bool:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SHORTEST_RSA:
        return False
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
    key.verify(signature, text, scheme, hashes.SHA256())
    return True


def _by_rsa_pkcs1(key: object, signature: bytes, text: bytes) -> bool:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SHORTEST_RSA:
        return False
    key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    return True


def _by_ed25519(key: object, signature: bytes, text: bytes) -> bool:
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return False
    key.verify(signature, text)
    return True


_CURVES: Mapping[str, hashes.HashAlgorithm] = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}
_CHECKS: tuple[Callable[[object, bytes, bytes], bool], ...] = (_by_curve, _by_rsa_pss, _by_rsa_pkcs1, _by_ed25519)


def _holds(check: Callable[[object, bytes, bytes], bool], key: object, signature: bytes, text: bytes) -> bool:
    try:
        return check(key, signature, text)
    except InvalidSignature:
        return False
