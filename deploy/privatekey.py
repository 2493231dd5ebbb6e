"""A person's private key: in a file, read only when something is to be signed, or on a token (``card.py``)."""

import shlex
import stat
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from core.errors import Malformed, NotFound, Rejected

#: What a file's mode lets its group and everybody else do.
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Key(Protocol):
    """What a login does with its key. ``pem`` is the file that TLS loads; ``pin`` is empty when nothing guards it."""

    pem: Path

    def pin(self) -> str:
        """Return what opens the key, once it was proved right."""
        ...

    def sign(self, text: bytes) -> bytes:
        """Sign as ``core/signed.py`` verifies: the key decides the algorithm."""
        ...


class PrivateKey:
    """A key in a file (PEM, not encrypted)."""

    def __init__(self, path: Path) -> None:
        """Remember where the key is. Raises ``NotFound``, and ``Rejected`` when others than its owner may use it."""
        if not path.is_file():
            raise NotFound(f"there is no file `{path}`", hint="log in with files that are there")
        if path.stat().st_mode & _OTHERS:
            hint = f"chmod 600 {shlex.quote(str(path))}"
            raise Rejected(f"others than its owner can read or change the key `{path}`", hint=hint)
        self.pem = path

    def pin(self) -> str:
        """Return nothing: who may read the file may use the key."""
        return ""

    def sign(self, text: bytes) -> bytes:
        """Return the signature over ``text``. Raises ``NotFound`` or ``Malformed``."""
        try:
            key = load_pem_private_key(self.pem.read_bytes(), password=None)
        except OSError as error:
            raise NotFound(f"the key `{self.pem}` cannot be read: {error.strerror}", hint="log in again") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Malformed(f"the key `{self.pem}` cannot be used: {error}", hint="log in again") from error
        match key:
            case ec.EllipticCurvePrivateKey():
                wide = key.curve.name == "secp384r1"
                return key.sign(text, ec.ECDSA(hashes.SHA384() if wide else hashes.SHA256()))
            case rsa.RSAPrivateKey():
                scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
                return key.sign(text, scheme, hashes.SHA256())
            case ed25519.Ed25519PrivateKey():
                return key.sign(text)
        raise Malformed(f"a key like `{self.pem}` signs nothing here", hint="use a P-256, P-384, RSA or Ed25519 key")
