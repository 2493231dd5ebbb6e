"""Where the published log is, and the key that its checkpoints are verified with: what readers of the log need."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from core.ledger.checkpoint import VerifierKey


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """``directory`` holds the published log, ``spool`` is a folder for bundles in the making (none: the system's).

    ``patience`` is how many seconds an export waits until its own record is published.
    """

    directory: Path
    key: VerifierKey
    spool: Path | None = None
    patience: float = 20.0

    @property
    def origin(self) -> str:
        """Return the log's name."""
        return self.key.name

    @property
    def fingerprint(self) -> str:
        """Return the one value an auditor needs: SHA-256 over the text of the verifier key, in hexadecimal.

        The text is ``name+hash+key`` in UTF-8, without a line end: exactly the member ``verifier-key`` of a bundle.
        """
        return sha256(str(self.key).encode()).hexdigest()
