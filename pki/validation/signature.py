"""Signatures over certificates and lists (RFC 5280, 4.1.1.2), by the algorithms that the caller allows. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pki import der
from pki.validation import element
from pki.validation.element import INTEGER, NULL, OID, SEQUENCE, Fields
from pki.validation.refusal import Why, refused


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What signatures count: names of hashes, and the fewest bits of a key; 0 where its kind does not count at all."""

    hashes: frozenset[str] = frozenset({"sha256", "sha384", "sha512"})
    rsa_bits: int = 2048
    ec_bits: int = 256
    dsa_bits: int = 0


#: What counts where nobody asks for something older.
MODERN = Algorithms()


@dataclass(frozen=True, slots=True)
class Key:
    """A public key with its parameters, also when a certificate left them to its issuer (6.1.4 (d)-(f))."""

    spki: bytes
    public: PublicKeyTypes


_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_HASH_IDS = {
    element.octets_of("1.3.14.3.2.26"): "sha1",
    element.octets_of("2.16.840.1.101.3.4.2.4"): "sha224",
    element.octets_of("2.16.840.1.101.3.4.2.1"): "sha256",
    element.octets_of("2.16.840.1.101.3.4.2.2"): "sha384",
    element.octets_of("2.16.840.1.101.3.4.2.3"): "sha512",
}

#: (kind, hash) of a signature algorithm (RFC 3279, 4055, 5758, 8410).
_ALGORITHMS = {
    element.octets_of(dotted): meaning
    for dotted, meaning in {
        "1.2.840.113549.1.1.5": ("rsa", "sha1"),
        "1.2.840.113549.1.1.14": ("rsa", "sha224"),
        "1.2.840.113549.1.1.11": ("rsa", "sha256"),
        "1.2.840.113549.1.1.12": ("rsa", "sha384"),
        "1.2.840.113549.1.1.13": ("rsa", "sha512"),
        "1.2.840.113549.1.1.10": ("pss", ""),
        "1.2.840.10045.4.1": ("ecdsa", "sha1"),
        "1.2.840.10045.4.3.1": ("ecdsa", "sha224"),
        "1.2.840.10045.4.3.2": ("ecdsa", "sha256"),
        "1.2.840.10045.4.3.3": ("ecdsa", "sha384"),
        "1.2.840.10045.4.3.4": ("ecdsa", "sha512"),
        "1.2.840.10040.4.3": ("dsa", "sha1"),
        "2.16.840.1.101.3.4.3.1": ("dsa", "sha224"),
        "2.16.840.1.101.3.4.3.2": ("dsa", "sha256"),
        "1.3.101.112": ("ed25519", ""),
    }.items()
}
#: A key of more bits makes one verification take long.
_MOST_BITS = 16_384

_MGF1 = element.octets_of("1.2.840.113549.1.1.8")


def load(spki: bytes, inherited: Key | None = None) -> Key:
    """Read a SubjectPublicKeyInfo; DSA parameters that it leaves out are those of ``inherited``."""
    spki = _completed(spki, inherited)
    try:
        return Key(spki, load_der_public_key(spki))
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
        raise refused(Why.ALGORITHM, "a public key cannot be read, or is of a kind that is not accepted") from error


def _completed(spki: bytes, inherited: Key | None) -> bytes:
    fields = Fields(element.only(spki, SEQUENCE).content)
    algorithm, bits = fields.take(SEQUENCE), fields.take(element.BIT_STRING)
    fields.end()
    parts = element.split(algorithm.content, 2)
    if inherited is None or (len(parts) == 2 and parts[1].tag != NULL):
        return spki
    theirs = Fields(element.only(inherited.spki, SEQUENCE).content).take(SEQUENCE)
    same = bool(parts) and element.split(theirs.content, 2)[0].whole == parts[0].whole
    return der.encode(der.SEQUENCE, theirs.whole, bits.whole) if same else spki


def verify(key: Key, algorithm: bytes, content: bytes, signature: bytes, allowed: Algorithms) -> None:
    """Raise unless ``signature`` (a BIT STRING's content) over ``content`` is by ``key`` and ``allowed``."""
    fields = Fields(element.only(algorithm, SEQUENCE).content)
    identifier = fields.take(OID).content
    kind, digest = _ALGORITHMS.get(identifier, ("", ""))
    parameters = fields.find(SEQUENCE) if kind == "pss" else fields.find(NULL)
    fields.end()
    if not kind:
        raise _not_allowed(f"the signature algorithm {element.dotted(identifier)}")
    if signature[:1] != b"\x00":
        raise refused(Why.SIGNATURE, "the signature is not of whole octets")
    try:
        if kind == "pss":
            _verify_pss(key, b"" if parameters is None else parameters.content, content, signature[1:], allowed)
        else:
            _verify(key, (kind, digest), content, signature[1:], allowed)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
        raise refused(Why.SIGNATURE, "the signature does not verify with the issuer's key") from error


def _verify(key: Key, meaning: tuple[str, str], content: bytes, signature: bytes, allowed: Algorithms) -> None:
    public, (kind, digest) = key.public, meaning
    if kind == "ed25519" and isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, content)
        return
    used = _hash(digest, allowed) if digest else hashes.SHA256()
    if kind == "rsa" and isinstance(public, rsa.RSAPublicKey):
        _check_size(public.key_size, allowed.rsa_bits)
        public.verify(signature, content, padding.PKCS1v15(), used)
    elif kind == "ecdsa" and isinstance(public, ec.EllipticCurvePublicKey):
        _check_size(public.key_size, allowed.ec_bits)
        public.verify(signature, content, ec.ECDSA(used))
    elif kind == "dsa" and isinstance(public, dsa.DSAPublicKey):
        _check_size(public.key_size, allowed.dsa_bits)
        public.verify(signature, content, used)
    else:
        raise refused(Why.SIGNATURE, "the signature's algorithm is not one of the issuer's key")


def _verify_pss(key: Key, parameters: bytes, content: bytes, signature: bytes, allowed: Algorithms) -> None:
    """RSASSA-PSS (RFC 4055, 3.1): the hash, the same hash for the mask, the salt's length; none left to default."""
    if not isinstance(key.public, rsa.RSAPublicKey):
        raise refused(Why.SIGNATURE, "the signature's algorithm is not one of the issuer's key")
    fields = Fields(parameters)
    used = Fields(element.only(fields.take(0xA0).content, SEQUENCE).content).take(OID).content
    mask = Fields(element.only(fields.take(0xA1).content, SEQUENCE).content)
    kind, masked = mask.take(OID).content, Fields(mask.take(SEQUENCE).content).take(OID).content
    salt = element.count(element.only(fields.take(0xA2).content, INTEGER).content)
    fields.end()
    if kind != _MGF1 or masked != used or salt > 64:
        raise _not_allowed("a signature RSASSA-PSS with such parameters")
    _check_size(key.public.key_size, allowed.rsa_bits)
    digest = _hash(_HASH_IDS.get(used, ""), allowed)
    key.public.verify(signature, content, padding.PSS(padding.MGF1(digest), salt), digest)


def _hash(digest: str, allowed: Algorithms) -> hashes.HashAlgorithm:
    if digest not in allowed.hashes or digest not in _HASHES:
        raise _not_allowed(f"a signature over a hash {digest or 'of a kind nobody knows'}")
    return _HASHES[digest]()


def _check_size(bits: int, least: int) -> None:
    if least == 0 or not least <= bits <= _MOST_BITS:
        raise _not_allowed(f"a key of {bits} bits of its kind")


def _not_allowed(what: str) -> Exception:
    return refused(Why.ALGORITHM, f"{what} is not allowed here")
