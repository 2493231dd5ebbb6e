"""Public keys of accounts as JWK, their thumbprints, and what each of them signs (RFC 7517, 7518, 7638, 8037). Pure."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.acme import encoding
from pki.acme.encoding import JsonObject
from pki.acme.errors import BadPublicKey, BadSignature, BadSignatureAlgorithm

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

#: Bits of an RSA key: below, it protects nothing; above, whoever asks makes us work.
SHORTEST_RSA, LONGEST_RSA = 2048, 8192

#: Members that only a private key has (RFC 7518, 6.2.2 and 6.3.2), or a secret one.
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class Jwk:
    """A public key; ``members`` are those that its thumbprint is made of, ``algorithm`` is what it signs by."""

    key: PublicKey
    members: Mapping[str, str]
    algorithm: str

    @property
    def text(self) -> str:
        """Return the key in its one form, as it is stored."""
        return encoding.canonical(self.members).decode("ascii")

    @property
    def thumbprint(self) -> str:
        """Return the SHA-256 thumbprint in base64url (RFC 7638)."""
        return encoding.encode(hashlib.sha256(encoding.canonical(self.members)).digest())

    @property
    def spki(self) -> bytes:
        """Return the DER SubjectPublicKeyInfo."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, algorithm: str, signed: bytes, signature: bytes) -> None:
        """Raise ``BadSignatureAlgorithm`` when this key does not sign so, ``BadSignature`` when it did not."""
        if algorithm != self.algorithm:
            raise BadSignatureAlgorithm(f"a key of this kind signs by `{self.algorithm}`, not by `{algorithm[:20]}`")
        try:
            _verify(self.key, signed, signature)
        except InvalidSignature as error:
            raise BadSignature("the signature of the request does not verify") from error


def parse_jwk(content: object) -> Jwk:
    """Read a public key. Raises ``BadPublicKey``, or ``BadRequest`` for a member that is not base64url."""
    if not isinstance(content, dict):
        raise BadPublicKey("the key is no JSON object")
    if _PRIVATE & content.keys():
        raise BadPublicKey("this is a private key: it is compromised now", hint="make a new one and keep it")
    kind = content.get("kty")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadPublicKey(f"a key of type `{str(kind)[:20]}` is not taken", hint=f"one of {', '.join(_KINDS)}")
    try:
        return _KINDS[kind](content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadPublicKey("the numbers of the key are those of no key") from error


def _parse_ec(content: JsonObject) -> Jwk:
    name = content.get("crv")
    if not isinstance(name, str) or name not in _CURVES:
        raise BadPublicKey(f"the curve `{str(name)[:20]}` is not taken", hint=f"one of {', '.join(_CURVES)}")
    curve, algorithm = _CURVES[name]
    size = (curve.key_size + 7) // 8
    x, y = (encoding.decode(content.get(one), one) for one in ("x", "y"))
    if (len(x), len(y)) != (size, size):
        raise BadPublicKey(f"a coordinate on {name} has {size} octets (RFC 7518, 6.2.1.2)")
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + x + y)
    members = {"kty": "EC", "crv": name, "x": encoding.encode(x), "y": encoding.encode(y)}
    return Jwk(key, members, algorithm)


def _parse_okp(content: JsonObject) -> Jwk:
    if content.get("crv") != "Ed25519":
        raise BadPublicKey("of Edwards curves Ed25519 alone is taken")
    x = encoding.decode(content.get("x"), "x")
    key = ed25519.Ed25519PublicKey.from_public_bytes(x)
    return Jwk(key, {"kty": "OKP", "crv": "Ed25519", "x": encoding.encode(x)}, "EdDSA")


def _parse_rsa(content: JsonObject) -> Jwk:
    n, e = (encoding.decode(content.get(one), one) for one in ("n", "e"))
    if n[:1] in (b"", b"\0") or e[:1] in (b"", b"\0"):
        raise BadPublicKey("a number of the key begins with a zero octet (RFC 7518, 6.3.1)")
    bits, exponent = int.from_bytes(n, "big").bit_length(), int.from_bytes(e, "big")
    if not SHORTEST_RSA <= bits <= LONGEST_RSA:
        raise BadPublicKey(f"an RSA key of {bits} bits is not taken", hint=f"{SHORTEST_RSA} to {LONGEST_RSA} bits")
    if not 65_537 <= exponent < 2**32:
        raise BadPublicKey("the RSA exponent is too small or too large", hint="use 65537")
    key = rsa.RSAPublicNumbers(exponent, int.from_bytes(n, "big")).public_key()
    return Jwk(key, {"kty": "RSA", "n": encoding.encode(n), "e": encoding.encode(e)}, "RS256")


_CURVES: Mapping[str, tuple[ec.EllipticCurve, str]] = {
    "P-256": (ec.SECP256R1(), "ES256"),
    "P-384": (ec.SECP384R1(), "ES384"),
}

_KINDS: Mapping[str, Callable[[JsonObject], Jwk]] = {"EC": _parse_ec, "OKP": _parse_okp, "RSA": _parse_rsa}

#: Algorithms that a request may be signed by (RFC 8555, 6.2: never a MAC, never none).
ALGORITHMS = ("ES256", "ES384", "EdDSA", "RS256")


def _verify(key: PublicKey, signed: bytes, signature: bytes) -> None:
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
        return
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        return
    size = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        # r and s side by side, each in full length (RFC 7518, 3.4): not the DER that other protocols have.
        raise InvalidSignature
    r, s = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
    wanted = hashes.SHA256() if size == 32 else hashes.SHA384()
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(wanted))
