"""The token's Ed25519 key as the signer of evidence checkpoints (the port of ``core/ledger/checkpoint.py``)."""

from hsm.client import SignerClient


class TokenCheckpointSigner:
    """Signs with one key of the token."""

    def __init__(self, keys: SignerClient, label: str) -> None:
        """Prepare; the key is looked up on first use."""
        self._keys = keys
        self._label = label
        self._public = b""

    def public_key(self) -> bytes:
        """Return the raw Ed25519 public key (32 octets)."""
        if not self._public:
            self._public = self._keys.get(self._label).spki[-32:]
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Sign ``message`` in the token (64 octets)."""
        return self._keys.sign(self._label, message)
