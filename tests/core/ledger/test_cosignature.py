"""Cosignatures in the exact octets of C2SP tlog-cosignature; anything else is refused or passed over."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.ledger import checkpoint, cosignature
from core.ledger.checkpoint import COSIGNER_KEY, LOG_KEY, Checkpoint
from core.ledger.errors import BadCheckpoint, BadCosignature
from tests.core.ledger.keys import MemoryCheckpointSigner

NAME = "witness.nanling.example/w1"
AT = datetime(2026, 11, 20, 8, 0, 0, 999_000, tzinfo=UTC)
LOG = MemoryCheckpointSigner()
WITNESS = MemoryCheckpointSigner(b"a witness")
KEY = checkpoint.verifier_key(NAME, WITNESS, COSIGNER_KEY)
NOTE = checkpoint.sign_checkpoint(Checkpoint("evidence.beichen.example/sample", 7, bytes(32)), LOG)
LINE = cosignature.cosign(NOTE, name=NAME, signer=WITNESS, at=AT)


def test_a_cosignature_in_the_octets_of_the_standard() -> None:
    """Written out by hand from the standard, not by our own functions."""
    dash, name, blob = LINE.decode().rstrip("\n").split(" ")
    raw = base64.b64decode(blob)
    public = WITNESS.public_key()
    key_hash = hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]
    seconds = int(AT.timestamp())
    message = f"cosignature/v1\ntime {seconds}\n".encode() + NOTE.split(b"\n\n")[0] + b"\n"
    signature = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a witness").digest()).sign(message)
    assert (dash, name, raw) == ("—", NAME, key_hash + seconds.to_bytes(8, "big") + signature)
    assert str(KEY) == f"{NAME}+{key_hash.hex()}+" + base64.b64encode(b"\x04" + public).decode()


def test_the_newest_of_several_counts_and_strangers_are_passed_over() -> None:
    later = cosignature.cosign(NOTE, name=NAME, signer=WITNESS, at=AT.replace(hour=9))
    stranger = cosignature.cosign(NOTE, name="other.example/w", signer=MemoryCheckpointSigner(b"x"), at=AT)
    found = cosignature.verify_cosignature(NOTE + stranger + later + LINE, KEY)
    assert (found.at, found.line) == (AT.replace(hour=9, microsecond=0), later)
    assert cosignature.find_cosignatures(NOTE + stranger, [KEY]) == []
    checkpoint.verify_checkpoint(
        NOTE + stranger + LINE, checkpoint.verifier_key("evidence.beichen.example/sample", LOG)
    )


@pytest.mark.parametrize("place", [0, 7, 8, 20, 71])
def test_a_changed_cosignature_is_refused(place: int) -> None:
    _, name, blob = LINE.decode().rstrip("\n").split(" ")
    raw = bytearray(base64.b64decode(blob))
    raw[4 + place] ^= 1
    bent = f"— {name} {base64.b64encode(raw).decode()}\n".encode()
    with pytest.raises(BadCosignature):
        cosignature.verify_cosignature(NOTE + bent, KEY)
    assert cosignature.find_cosignatures(NOTE + bent, [KEY]) == []


def test_a_cosignature_of_another_checkpoint_or_of_the_wrong_form_is_refused() -> None:
    other = checkpoint.sign_checkpoint(Checkpoint("evidence.beichen.example/sample", 8, bytes(32)), LOG)
    short = checkpoint.signature_line(KEY, bytes(64))
    never = checkpoint.signature_line(KEY, bytes(72))
    far = checkpoint.signature_line(KEY, b"\x7f" + bytes(71))
    for note in (other + LINE, NOTE, NOTE + short, NOTE + never, NOTE + far):
        with pytest.raises(BadCosignature):
            cosignature.verify_cosignature(note, KEY)
    for broken in (b"", NOTE + b"\xff\n", NOTE + b"\xe2\x80\x94 x y z\n", NOTE + b"line\n"):
        with pytest.raises(BadCheckpoint):
            cosignature.verify_cosignature(broken, KEY)


def test_keys_of_logs_and_of_witnesses_are_two_kinds() -> None:
    assert checkpoint.parse_verifier_key(str(KEY), COSIGNER_KEY) == KEY
    with pytest.raises(BadCheckpoint, match="log's"):
        checkpoint.parse_verifier_key(str(KEY), LOG_KEY)
    with pytest.raises(BadCheckpoint, match="witness's"):
        checkpoint.parse_verifier_key(str(checkpoint.verifier_key(NAME, WITNESS)), COSIGNER_KEY)


def test_a_signer_that_signs_with_another_key_is_caught() -> None:
    class Swapped(MemoryCheckpointSigner):
        def sign(self, message: bytes) -> bytes:
            return MemoryCheckpointSigner(b"another").sign(message)

    with pytest.raises(BadCosignature):
        cosignature.cosign(NOTE, name=NAME, signer=Swapped(), at=AT)
