"""Message authentication by a shared secret (RFC 9810, 5.1.3.1; RFC 9481, 6): what is taken, bounded in work. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pki import der
from pki.cmp.errors import BadAlgorithm
from pki.validation import element
from pki.validation.element import INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, Fields

#: Most iterations: some 50 ms of hashing, for a secret of 256 bits that needs none; and most octets of a salt.
MOST_ITERATIONS, LONGEST_SALT = 100_000, 128

_PASSWORD, _PBMAC1 = element.octets_of("1.2.840.113533.7.66.13"), element.octets_of("1.2.840.113549.1.5.14")
_PBKDF2 = element.octets_of("1.2.840.113549.1.5.12")

_HASHES: Mapping[bytes, str] = {
    element.octets_of("1.3.14.3.2.26"): "sha1",
    element.octets_of("2.16.840.1.101.3.4.2.1"): "sha256",
    element.octets_of("2.16.840.1.101.3.4.2.2"): "sha384",
    element.octets_of("2.16.840.1.101.3.4.2.3"): "sha512",
}

#: HMACs; with SHA-1 it has two names, and older clients know no other (RFC 4210, D.2).
_MACS: Mapping[bytes, str] = {
    element.octets_of("1.3.6.1.5.5.8.1.2"): "sha1",
    element.octets_of("1.2.840.113549.2.7"): "sha1",
    element.octets_of("1.2.840.113549.2.9"): "sha256",
    element.octets_of("1.2.840.113549.2.10"): "sha384",
    element.octets_of("1.2.840.113549.2.11"): "sha512",
}


@dataclass(frozen=True, slots=True)
class Mac:
    """A kind of authentication with its parameters; algorithm identifiers are kept as they came (DER)."""

    salt: bytes
    iterations: int
    length: int
    derivation: tuple[str, bytes]
    scheme: tuple[str, bytes]
    is_pbmac1: bool

    def compute(self, secret: str, content: bytes) -> bytes:
        """Return the authentication code of ``content``."""
        return hmac.digest(self._key(secret.encode()), content, self.scheme[0])

    def salted(self, salt: bytes) -> "Mac":
        """Return the same with another salt."""
        return Mac(salt, self.iterations, self.length, self.derivation, self.scheme, self.is_pbmac1)

    @property
    def encoded(self) -> bytes:
        """Return the AlgorithmIdentifier."""
        salt, iterations = der.encode(OCTET_STRING, self.salt), der.integer(self.iterations)
        if not self.is_pbmac1:
            return _algorithm(_PASSWORD, der.encode(SEQUENCE, salt, self.derivation[1], iterations, self.scheme[1]))
        length = der.integer(self.length) if self.length else b""
        inner = der.encode(SEQUENCE, salt, iterations, length, self.derivation[1])
        return _algorithm(_PBMAC1, der.encode(SEQUENCE, _algorithm(_PBKDF2, inner), self.scheme[1]))

    def _key(self, secret: bytes) -> bytes:
        digest = self.derivation[0]
        if self.is_pbmac1:
            length = self.length or hashlib.new(self.scheme[0]).digest_size
            return hashlib.pbkdf2_hmac(digest, secret, self.salt, self.iterations, length)
        key = secret + self.salt
        for _ in range(self.iterations):
            key = hashlib.new(digest, key).digest()
        return key


def is_mac(algorithm: bytes) -> bool:
    """Say whether an AlgorithmIdentifier (DER) is one of these; raises ``RefusedPath`` for what is none at all."""
    return Fields(element.only(algorithm, SEQUENCE).content, 2).take(OID).content in (_PASSWORD, _PBMAC1)


def parse(algorithm: bytes) -> Mac:
    """Read an AlgorithmIdentifier (DER). Raises ``BadAlgorithm``; ``RefusedPath`` for what cannot be read."""
    fields = Fields(element.only(algorithm, SEQUENCE).content, 2)
    kind, parameters = fields.take(OID).content, Fields(fields.take(SEQUENCE).content, 4)
    fields.end()
    return _pbmac1(parameters) if kind == _PBMAC1 else _password(parameters)


def _password(parameters: Fields) -> Mac:
    salt = _salt(parameters)
    derivation = _named(parameters.take(SEQUENCE).whole, _HASHES)
    iterations = _iterations(parameters)
    scheme = _named(parameters.take(SEQUENCE).whole, _MACS)
    parameters.end()
    return Mac(salt, iterations, 0, derivation, scheme, is_pbmac1=False)


def _pbmac1(parameters: Fields) -> Mac:
    derivation, scheme = Fields(parameters.take(SEQUENCE).content, 2), parameters.take(SEQUENCE).whole
    parameters.end()
    if derivation.take(OID).content != _PBKDF2:
        raise BadAlgorithm("keys are derived by PBKDF2 (RFC 9481, 6.1.2)")
    inner = Fields(derivation.take(SEQUENCE).content, 4)
    derivation.end()
    salt, iterations = _salt(inner), _iterations(inner)
    length, function = inner.find(INTEGER), inner.find(SEQUENCE)
    inner.end()
    octets = element.count(length.content) if length else 0
    if not (0 < octets <= 128 or length is None):
        raise BadAlgorithm("a derived key has 1 to 128 octets")
    # HMAC with SHA-1 is what is meant when none is named (RFC 8018, A.2).
    chosen = _named(function.whole, _MACS) if function else ("sha1", b"")
    return Mac(salt, iterations, octets, chosen, _named(scheme, _MACS), is_pbmac1=True)


def _salt(fields: Fields) -> bytes:
    salt = fields.take(OCTET_STRING).content
    if len(salt) > LONGEST_SALT:
        raise BadAlgorithm(f"a salt has at most {LONGEST_SALT} octets")
    return salt


def _iterations(fields: Fields) -> int:
    found = element.count(fields.take(INTEGER).content)
    if not 1 <= found <= MOST_ITERATIONS:
        raise BadAlgorithm(f"a key is derived with 1 to {MOST_ITERATIONS} iterations, not {found}")
    return found


def _named(algorithm: bytes, known: Mapping[bytes, str]) -> tuple[str, bytes]:
    fields = Fields(element.only(algorithm, SEQUENCE).content, 2)
    kind = fields.take(OID).content
    fields.find(NULL)
    fields.end()
    if kind not in known:
        raise BadAlgorithm(f"the algorithm {element.dotted(kind)} is not taken here")
    return known[kind], algorithm


def _algorithm(kind: bytes, parameters: bytes) -> bytes:
    return der.encode(SEQUENCE, der.encode(OID, kind), parameters)
