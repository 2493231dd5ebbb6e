"""Cosignatures: a witness states that this checkpoint is of the largest consistent tree it saw (C2SP tlog-cosignature).

Pure. Ed25519 only (signature type 0x04, ``cosignature/v1``). The signed message commits to the time and the
checkpoint, not to the witness's name: one key serves one witness.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.ledger import checkpoint
from core.ledger.checkpoint import COSIGNER_KEY, CheckpointSigner, VerifierKey
from core.ledger.errors import BadCosignature

_TIME_OCTETS, _SIGNATURE_OCTETS = 8, 64

#: Later than any date that Python knows; the format itself ends at 2^63 - 1.
_LATEST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One valid cosignature: by which key, made when, and its line in the note."""

    key: VerifierKey
    at: datetime
    line: bytes


def cosign(note: bytes, *, name: str, signer: CheckpointSigner, at: datetime) -> bytes:
    """Return the line in which the witness ``name`` cosigns the checkpoint in ``note``.

    The caller has verified the checkpoint, and keeps it durably before the line leaves (C2SP tlog-witness). Raises
    ``BadCheckpoint``, and ``BadCosignature`` when the signer did not sign with the key it names.
    """
    text, _ = checkpoint.split_note(note)
    key = checkpoint.verifier_key(name, signer, COSIGNER_KEY)
    seconds = int(at.timestamp())
    signature = signer.sign(_message(text, seconds))
    line = checkpoint.signature_line(key, seconds.to_bytes(_TIME_OCTETS, "big") + signature)
    verify_cosignature(note + line, key)
    return line


def verify_cosignature(note: bytes, key: VerifierKey) -> Cosignature:
    """Return the newest cosignature of ``key`` in ``note``. Raises ``BadCheckpoint``, ``BadCosignature``.

    Lines of other keys are passed over, whatever they say; a line of this key that does not verify is refused.
    """
    text, signatures = checkpoint.split_note(note)
    found = [
        _verified(text, key, blob[4:]) for name, blob in signatures if (name, blob[:4]) == (key.name, key.key_hash)
    ]
    if not found:
        raise BadCosignature(f"the checkpoint carries no cosignature of `{key.name}`")
    return max(found, key=lambda one: one.at)


def find_cosignatures(note: bytes, keys: Iterable[VerifierKey]) -> list[Cosignature]:
    """Return the newest valid cosignature of each of ``keys`` that has one in ``note``. Raises ``BadCheckpoint``."""
    found = []
    for key in keys:
        try:
            found.append(verify_cosignature(note, key))
        except BadCosignature:
            # What somebody put below our note proves nothing, and takes nothing from the others.
            continue
    return found


def line_length(key: VerifierKey) -> int:
    """Return the octets of a line in which ``key`` cosigns: they are always as many."""
    return len(checkpoint.signature_line(key, bytes(_TIME_OCTETS + _SIGNATURE_OCTETS)))


def _verified(text: bytes, key: VerifierKey, signature: bytes) -> Cosignature:
    if len(signature) != _TIME_OCTETS + _SIGNATURE_OCTETS:
        raise BadCosignature(f"the cosignature of `{key.name}` does not have a time and a signature")
    seconds = int.from_bytes(signature[:_TIME_OCTETS], "big")
    if not 0 < seconds <= _LATEST:
        raise BadCosignature(f"the cosignature of `{key.name}` is of no time that there is")
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public_key)
        public.verify(signature[_TIME_OCTETS:], _message(text, seconds))
    except (InvalidSignature, ValueError) as error:
        raise BadCosignature(f"the cosignature of `{key.name}` does not fit the checkpoint") from error
    line = checkpoint.signature_line(key, signature)
    return Cosignature(key, datetime.fromtimestamp(seconds, UTC), line)


def _message(text: bytes, seconds: int) -> bytes:
    return b"cosignature/v1\n" + f"time {seconds}\n".encode() + text
