"""A token key in the clothes of ``cryptography``: its builders sign with it and never see the key."""

from typing import NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    PrivateFormat,
    load_der_public_key,
)

from hsm.client import SignerClient
from hsm.errors import MechanismRefused
from hsm.models import KeyInfo


class TokenEcKey(ec.EllipticCurvePrivateKey):
    """A P-256 key that lives in the token; signs SHA-256 digests and can do nothing else."""

    def __init__(self, keys: SignerClient, info: KeyInfo) -> None:
        """Stand for the key described by ``info``."""
        public = load_der_public_key(info.spki)
        assert isinstance(public, ec.EllipticCurvePublicKey)
        self._keys = keys
        self._info = info
        self._public = public

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # type: ignore[override]  # the ABC takes any buffer
        """Hash here, sign in the token."""
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, Prehashed):
            return self._keys.sign(self._info.label, data)
        if not isinstance(algorithm, hashes.SHA256):
            raise MechanismRefused(f"`{self._info.label}` signs SHA-256 only")
        digest = hashes.Hash(algorithm)
        digest.update(data)
        return self._keys.sign(self._info.label, digest.finalize())

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public key."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:  # noqa: ARG002
        """Refuse: the key signs."""
        raise MechanismRefused(f"`{self._info.label}` signs and does nothing else")

    def private_numbers(self) -> NoReturn:
        """Refuse: the key never leaves the token."""
        raise MechanismRefused(f"`{self._info.label}` never leaves the token")

    def private_bytes(
        self,
        encoding: Encoding,  # noqa: ARG002
        format: PrivateFormat,  # noqa: A002, ARG002
        encryption_algorithm: KeySerializationEncryption,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse: the key never leaves the token."""
        raise MechanismRefused(f"`{self._info.label}` never leaves the token")

    def __copy__(self) -> Self:
        """Return itself: there is only one key."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Return itself: there is only one key."""
        return self
