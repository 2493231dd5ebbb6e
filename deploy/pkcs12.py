"""PKCS#12 (RFC 7292) for those without a token: made where the key is, from what is there, and encrypted strongly.

AES-256-CBC with PBKDF2 and HMAC-SHA-256 (PBES2, RFC 8018), which openssl 1.1 and later, NSS and current browsers read.
The forms that older programs want (RC2, 3DES, SHA-1) are not made.
"""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_pem_private_key, pkcs12

from core.errors import Malformed, NotFound, Rejected
from deploy.carduri import is_uri
from deploy.pair import Pair

#: RFC 8018, 4.2 asks for 1,000 at least; this is what slows down whoever guesses the password.
_ROUNDS = 600_000

#: Characters of a password: it is all that protects the key on its way.
SHORTEST = 12


def pack(pair: Pair, password: str, *, name: str = "") -> bytes:
    """Return key, certificate and chain as PKCS#12. Raises ``Rejected`` for a short password, or a key on a token."""
    if len(password) < SHORTEST:
        raise Rejected(f"a password of {len(password)} characters is too short", hint=f"at least {SHORTEST}")
    if is_uri(pair.key):
        raise Rejected("the key is on a token, and cannot leave it", hint="the browser uses the token itself")
    own, *above = x509.load_pem_x509_certificates(pair.chain.read_bytes())
    algorithm = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(password.encode())
    )
    label = (name or pair.serial).encode()
    return pkcs12.serialize_key_and_certificates(label, _load(Path(pair.key)), own, above, algorithm)


def _load(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise NotFound(f"`{path}` cannot be read: {(error.strerror or '').lower()}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Malformed(f"the key `{path}` cannot be used: {error}") from error
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return key
