"""A client of the protocol as a hostile or careless one would be: every part of a request can be made otherwise."""

import base64
import hashlib
import hmac
import ipaddress
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

MEDIA = {"Content-Type": "application/jose+json"}


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: Key) -> dict[str, str]:
    """Written by hand and not by ours, so that one checks the other."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": b64(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")), "e": "AQAB"}
    size, point = public.curve.key_size // 8, public.public_numbers()
    x, y = b64(point.x.to_bytes(size, "big")), b64(point.y.to_bytes(size, "big"))
    return {"kty": "EC", "crv": f"P-{public.curve.key_size}", "x": x, "y": y}


def algorithm(key: Key) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return "ES256" if key.curve.key_size == 256 else "ES384"


def sign(key: Key, content: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    size = key.curve.key_size // 8
    used = hashes.SHA256() if size == 32 else hashes.SHA384()
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(used)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def jws(header: dict[str, Any], payload: object, key: Key | bytes) -> dict[str, str]:
    """A flattened JWS; a payload of ``""`` is empty, ``key`` may be a secret."""
    protected = b64(json.dumps(header).encode())
    content = b64(payload if isinstance(payload, bytes) else b"" if payload == "" else json.dumps(payload).encode())
    signed = f"{protected}.{content}".encode()
    made = hmac.new(key, signed, hashlib.sha256).digest() if isinstance(key, bytes) else sign(key, signed)
    return {"protected": protected, "payload": content, "signature": b64(made)}


def thumbprint(key: Key) -> str:
    members = json.dumps(jwk(key), sort_keys=True, separators=(",", ":")).encode()
    return b64(hashlib.sha256(members).digest())


@dataclass
class Client:
    """``web`` reaches the server; ``kid`` is the account's address once there is one."""

    web: TestClient
    directory: dict[str, str]
    key: Key = field(default_factory=new_key)
    kid: str = ""

    def nonce(self) -> str:
        return str(self.web.head(self.directory["newNonce"]).headers["replay-nonce"])

    def header(self, url: str, **more: Any) -> dict[str, Any]:
        who = {"kid": self.kid} if self.kid else {"jwk": jwk(self.key)}
        made = {"alg": algorithm(self.key), "nonce": self.nonce(), "url": url, **who, **more}
        return {name: value for name, value in made.items() if value is not None}

    def post(self, place: str, payload: object = "", **more: Any) -> Any:
        return self.send(place, jws(self.header(**{"url": place, **more}), payload, self.key))

    def send(self, url: str, content: object, headers: dict[str, str] | None = None) -> Any:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.web.post(url, content=body, headers=headers or MEDIA)

    def binding(self, identifier: str, secret: str, **more: Any) -> dict[str, str]:
        header = {"alg": "HS256", "kid": identifier, "url": self.directory["newAccount"], **more}
        return jws(header, jwk(self.key), base64.urlsafe_b64decode(secret + "=="))

    def register(self, identifier: str, secret: str, **more: Any) -> Any:
        body = {"externalAccountBinding": self.binding(identifier, secret), **more}
        answer = self.post(self.directory["newAccount"], body)
        if answer.status_code in (200, 201):
            self.kid = answer.headers["location"]
        return answer

    def order(self, *names: str, **more: Any) -> Any:
        listed = [{"type": "ip" if one[0].isdigit() or ":" in one else "dns", "value": one} for one in names]
        return self.post(self.directory["newOrder"], {"identifiers": listed, **more})

    def challenges(self, order: dict[str, Any], kind: str = "http-01") -> list[dict[str, Any]]:
        found = [self.post(url).json() for url in order["authorizations"]]
        return [one for above in found for one in above["challenges"] if one["type"] == kind]

    def key_authorization(self, token: str) -> str:
        return f"{token}.{thumbprint(self.key)}"

    def finalize(self, order: dict[str, Any], csr: bytes) -> Any:
        return self.post(order["finalize"], {"csr": b64(csr)})


def csr(*names: str, key: Any = None, common_name: str = "") -> bytes:
    """A certification request (DER)."""
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        listed = [x509.IPAddress(ipaddress.ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
    return builder.sign(key or new_key(), hashes.SHA256()).public_bytes(Encoding.DER)
