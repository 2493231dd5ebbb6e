"""A checkpoint signer whose key is in memory: for the ledger's own tests. The product's key is in the token."""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class MemoryCheckpointSigner:
    def __init__(self, seed: bytes = b"demonstration sample") -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(sha256(seed).digest())
        self.signed: list[bytes] = []

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        self.signed.append(message)
        return self._key.sign(message)
