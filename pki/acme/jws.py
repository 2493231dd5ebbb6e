"""Signed requests: flattened JWS with the header that ACME asks for (RFC 7515, 7.2.2; RFC 8555, 6.2). Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pki.acme import encoding, jwk
from pki.acme.encoding import JsonObject
from pki.acme.errors import BadRequest, BadSignatureAlgorithm
from pki.acme.jwk import Jwk

#: Most octets of a request: one with a large certification request has some ten thousand.
LARGEST = 131_072

_MEMBERS = frozenset({"protected", "payload", "signature"})

_HEADER = frozenset({"alg", "nonce", "url", "jwk", "kid", "typ"})

_MACS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


@dataclass(frozen=True, slots=True)
class Jws:
    """A signed text that was read and not yet verified. Of ``key`` and ``account`` (the ``kid``) one is there."""

    algorithm: str
    nonce: str
    url: str
    key: Jwk | None
    account: str
    payload: bytes
    signed: bytes
    signature: bytes


def parse_jws(content: bytes) -> Jws:
    """Read a request. Raises ``BadRequest``, ``BadPublicKey``, ``BadSignatureAlgorithm``; verifies nothing."""
    if len(content) > LARGEST:
        raise BadRequest(f"a request has at most {LARGEST} octets")
    return read(encoding.parse_object(content, "the request"))


def read(content: object) -> Jws:
    """Read a JWS that stands inside another, or was taken from JSON. Raises as ``parse_jws``."""
    if not isinstance(content, dict) or content.keys() != _MEMBERS:
        raise BadRequest("a request is a flattened JWS with `protected`, `payload`, `signature` and nothing else")
    protected = encoding.decode(content["protected"], "protected")
    header = encoding.parse_object(protected, "the protected header")
    if unknown := sorted(header.keys() - _HEADER):
        # Among them ``crit`` and ``b64``: what is critical and not understood is refused (RFC 7515, 4.1.11).
        raise BadRequest(f"the protected header says `{unknown[0][:40]}`, which is not understood")
    if ("jwk" in header) == ("kid" in header):
        raise BadRequest("the protected header has one of `jwk` and `kid`, and not both (RFC 8555, 6.2)")
    return Jws(
        algorithm=_text(header, "alg"),
        nonce=_text(header, "nonce"),
        url=_text(header, "url"),
        key=jwk.parse_jwk(header["jwk"]) if "jwk" in header else None,
        account=_text(header, "kid"),
        payload=encoding.decode(content["payload"], "payload"),
        signed=f"{content['protected']}.{content['payload']}".encode("ascii"),
        signature=encoding.decode(content["signature"], "signature"),
    )


def verify(one: Jws, key: Jwk) -> None:
    """Raise unless ``key`` signed. Raises ``BadSignatureAlgorithm`` or ``BadSignature``."""
    if one.algorithm not in jwk.ALGORITHMS:
        raise BadSignatureAlgorithm(f"`{one.algorithm[:20]}` is not taken", hint=f"one of {', '.join(jwk.ALGORITHMS)}")
    key.verify(one.algorithm, one.signed, one.signature)


def is_authentic(one: Jws, secret: bytes) -> bool:
    """Return whether ``secret`` authenticates the text (RFC 7518, 3.2). Raises ``BadSignatureAlgorithm``."""
    if one.algorithm not in _MACS:
        raise BadSignatureAlgorithm(f"a binding is authenticated by {', '.join(_MACS)}, not `{one.algorithm[:20]}`")
    return hmac.compare_digest(hmac.digest(secret, one.signed, _MACS[one.algorithm]), one.signature)


def key_authorization(token: str, thumbprint: str) -> str:
    """Return what shows that a machine acts for an account (RFC 8555, 8.1)."""
    return f"{token}.{thumbprint}"


def digest_of(text: str) -> bytes:
    """Return the SHA-256 of a key authorization (RFC 8555, 8.4; RFC 8737, 3)."""
    return hashlib.sha256(text.encode("ascii")).digest()


def _text(header: Mapping[str, object] | JsonObject, name: str) -> str:
    value = header.get(name, "")
    if not isinstance(value, str) or len(value) > 500:
        raise BadRequest(f"`{name}` of the protected header is no text, or too long")
    return value
