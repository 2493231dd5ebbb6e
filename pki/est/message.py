"""What EST sends and gets: base64 around DER (RFC 7030, 4, as RFC 8951 made it plain). Pure."""

import base64
import binascii

from pki import csr, der
from pki.errors import RequestTooLarge
from pki.est.errors import BadBody, WrongMedia
from pki.profile import KeyKind, Profile

REQUEST, CERTIFICATES, ATTRIBUTES = "application/pkcs10", "application/pkcs7-mime", "application/csrattrs"
KEY = "application/pkcs8"

#: Most octets of a body: base64 of the largest request, with an end of line after every 64 characters.
LARGEST = csr.LARGEST * 3 // 2

_PUBLIC_KEY, _RSA = der.object_identifier("1.2.840.10045.2.1"), der.object_identifier("1.2.840.113549.1.1.1")
_CURVES = {
    KeyKind.P256: der.object_identifier("1.2.840.10045.3.1.7"),
    KeyKind.P384: der.object_identifier("1.3.132.0.34"),
}
_SHA256 = {
    KeyKind.RSA: der.object_identifier("1.2.840.113549.1.1.11"),
    KeyKind.P256: der.object_identifier("1.2.840.10045.4.3.2"),
}


def parse_body(media: str, body: bytes) -> bytes:
    """Return the request (DER) of a body. Raises ``WrongMedia``, ``RequestTooLarge``, ``BadBody``."""
    if media.partition(";")[0].strip().lower() != REQUEST:
        raise WrongMedia(f"a request is sent as {REQUEST}")
    if len(body) > LARGEST:
        raise RequestTooLarge(f"the body has {len(body)} octets, more than {LARGEST}")
    try:
        octets = base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadBody(
            "the body is no base64 (RFC 7030, 4.2.1)", hint="openssl req -outform DER | openssl base64"
        ) from error
    if not octets.startswith(b"\x30"):
        raise BadBody("the body holds no certification request", hint="openssl req -outform DER | openssl base64")
    return octets


def parse_basic(header: str) -> tuple[str, str] | None:
    """Return name and password of an Authorization header; nothing when it is none of that kind (RFC 7617)."""
    scheme, _, said = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(said.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def key_and_certificate(pkcs8: bytes, certificates: bytes, boundary: str) -> bytes:
    """Return a multipart body with a private key and the certificate over it (RFC 7030, 4.4.2)."""
    parts = ((KEY, pkcs8), (f"{CERTIFICATES}; smime-type=certs-only", certificates))
    lines = [
        f"--{boundary}\r\nContent-Type: {media}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
        + encode(content).replace(b"\n", b"\r\n")
        for media, content in parts
    ]
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


def encode(octets: bytes) -> bytes:
    """Return the base64 of a body, in lines."""
    return base64.encodebytes(octets)


def attributes(profile: Profile, rsa_bits: int, ec_bits: int) -> bytes:
    """Return CsrAttrs (RFC 7030, 4.5.2): kinds of keys that are taken, the first the one that is best, and hashes."""
    listed: list[bytes] = []
    for kind in profile.keys:
        curve = _CURVES.get(kind)
        if curve is not None and int(kind.value[1:]) >= ec_bits:
            listed.append(_attribute(_PUBLIC_KEY, curve))
        if kind is KeyKind.RSA:
            listed.append(_attribute(_RSA, der.integer(rsa_bits)))
    hashes = [oid for kind, oid in _SHA256.items() if kind in profile.keys]
    return der.encode(der.SEQUENCE, *listed, *hashes)


def _attribute(kind: bytes, value: bytes) -> bytes:
    return der.encode(der.SEQUENCE, kind, der.encode(der.SET, value))
