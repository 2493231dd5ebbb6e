"""Checkpoints: the signed size and root of the log (C2SP tlog-checkpoint) as a signed note with Ed25519 (type 0x01).

Pure. A checkpoint of ours has exactly three lines of text (origin, size, root) and no extension lines; further
signatures of others may follow ours.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.ledger.errors import BadCheckpoint, BadCheckpointSignature
from core.ledger.merkle import HASH_OCTETS

#: Kinds of Ed25519 keys (C2SP signed-note, tlog-cosignature): one that signs its own log, one that cosigns others'.
LOG_KEY, COSIGNER_KEY = b"\x01", b"\x04"

_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")

#: No log is as large: what JSON and every store hold exactly ends here (RFC 7493, 2.2).
SIZES = 2**53

#: Most octets of a note that is read at all.
LARGEST_NOTE = 16_384


class CheckpointSigner(Protocol):
    """Holds the log's Ed25519 key."""

    def public_key(self) -> bytes:
        """Return the 32 octets of the public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64 octets of the signature over ``message``. Raises ``Unavailable``."""
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed: the log's name, how many records it holds, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """Return the exact octets that are signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n".encode()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half, with the name it signs under; ``kind`` is ``LOG_KEY`` or ``COSIGNER_KEY``."""

    name: str
    public_key: bytes
    kind: bytes = LOG_KEY

    @property
    def key_hash(self) -> bytes:
        """Return the four octets that stand before each signature (C2SP signed-note)."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.public_key).digest()[:4]

    def __str__(self) -> str:
        """Print in the form ``name+hash+key``."""
        return f"{self.name}+{self.key_hash.hex()}+{encode_base64(self.kind + self.public_key)}"


def parse_verifier_key(text: str, kind: bytes = LOG_KEY) -> VerifierKey:
    """Read ``name+hash+key`` of a key of this kind. Raises ``BadCheckpoint``."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
        raise BadCheckpoint(f"`{text[:120]}` is not a verifier key", hint="its form is `name+hash+key`")
    material = parse_base64(parts[2])
    if len(material) != 1 + HASH_OCTETS or material[:1] != kind:
        what = "a log's Ed25519 key (type 1)" if kind == LOG_KEY else "a witness's Ed25519 key (type 4)"
        raise BadCheckpoint(f"the verifier key of `{parts[0]}` is not {what}")
    key = VerifierKey(parts[0], material[1:], kind)
    if key.key_hash.hex() != parts[1]:
        raise BadCheckpoint(f"the verifier key of `{parts[0]}` does not have the hash `{parts[1][:16]}`")
    return key


def verifier_key(name: str, signer: CheckpointSigner, kind: bytes = LOG_KEY) -> VerifierKey:
    """Return the key that verifies what ``signer`` signs as the log, or the witness, ``name``.

    Raises ``BadCheckpoint``.
    """
    return parse_verifier_key(str(VerifierKey(name, signer.public_key(), kind)), kind)


def sign_checkpoint(checkpoint: Checkpoint, signer: CheckpointSigner) -> bytes:
    """Return the signed note. Raises ``BadCheckpointSignature`` when the signer did not sign with the key it names."""
    key = verifier_key(checkpoint.origin, signer)
    text = checkpoint.text()
    signature = signer.sign(text)
    note = text + b"\n" + signature_line(key, signature)
    verify_checkpoint(note, key)
    return note


def parse_checkpoint(note: bytes) -> Checkpoint:
    """Read the text of a signed note without asking who signed it. Raises ``BadCheckpoint``."""
    return _parse_text(split_note(note)[0])


def verify_checkpoint(note: bytes, key: VerifierKey) -> None:
    """Verify that ``note`` is a checkpoint of the log named by ``key``, signed with it.

    Raises ``BadCheckpoint`` and ``BadCheckpointSignature``.
    """
    text, signatures = split_note(note)
    if _parse_text(text).origin != key.name:
        raise BadCheckpointSignature(f"the checkpoint belongs to another log than `{key.name}`")
    ours = [blob[4:] for name, blob in signatures if name == key.name and blob[:4] == key.key_hash]
    if len(ours) != 1:
        raise BadCheckpointSignature(f"the checkpoint carries {len(ours)} signatures of `{key.name}` with this key")
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(ours[0], text)
    except InvalidSignature as error:
        raise BadCheckpointSignature(f"the signature of `{key.name}` does not fit the checkpoint") from error


def signature_line(key: VerifierKey, signature: bytes) -> bytes:
    """Return the line of a note in which ``key`` signs (C2SP signed-note)."""
    return f"— {key.name} {encode_base64(key.key_hash + signature)}\n".encode()


def split_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return the signed text, and of every signature the name with what follows it: key hash and signature.

    Raises ``BadCheckpoint``.
    """
    if len(note) > LARGEST_NOTE or not note.endswith(b"\n"):
        raise BadCheckpoint("a checkpoint ends with a line end and is no longer than 16 KiB")
    text, separator, block = note.rpartition(b"\n\n")
    if not separator:
        raise BadCheckpoint("the checkpoint carries no signature")
    return text + b"\n", [_parse_signature(line) for line in _utf8(block[:-1]).split("\n")]


def _parse_signature(line: str) -> tuple[str, bytes]:
    dash, name, blob = [*line.split(" "), "", ""][:3]
    signature = parse_base64(blob)
    if dash != "—" or line.count(" ") != 2 or not _NAME.fullmatch(name) or len(signature) < 5:
        raise BadCheckpoint("a signature line has the form `— name base64`")
    return name, signature


def _parse_text(text: bytes) -> Checkpoint:
    lines = _utf8(text).split("\n")
    if len(lines) != 4 or lines[3]:
        raise BadCheckpoint("a checkpoint has three lines: origin, size and root")
    origin, size, root = lines[:3]
    if not _NAME.fullmatch(origin) or not _SIZE.fullmatch(size) or int(size) >= SIZES:
        raise BadCheckpoint("a checkpoint's origin or size cannot be read")
    checkpoint = Checkpoint(origin, int(size), parse_base64(root))
    if len(checkpoint.root) != HASH_OCTETS:
        raise BadCheckpoint("a checkpoint's root has 32 octets")
    return checkpoint


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise BadCheckpoint("a checkpoint is UTF-8") from error


def encode_base64(value: bytes) -> str:
    """Return the base64 of RFC 4648, section 4."""
    return base64.b64encode(value).decode()


def parse_base64(text: str) -> bytes:
    """Read base64; one text for one value. Raises ``BadCheckpoint``."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCheckpoint("a checkpoint's base64 cannot be read") from error
    # One text for one value: the decoder would accept stray bits at the end.
    if encode_base64(value) != text:
        raise BadCheckpoint("a checkpoint's base64 is not in its one form")
    return value
