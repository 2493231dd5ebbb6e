"""The inventory: which keys are ours, each bound by the hash of its public key and by nothing else."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core import durable
from core.errors import Malformed
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of ours and its CKA_ID in the token."""

    info: KeyInfo
    identifier: bytes


def read(path: Path) -> dict[str, Entry]:
    """Return the entries by label. Raises ``Malformed`` when the file is damaged."""
    try:
        rows = json.loads(path.read_text(encoding="ascii"))
        entries = [_parse(row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"the key inventory `{path}` is damaged", hint="restore it from a recovery point") from error
    return {entry.info.label: entry for entry in entries}


def write(path: Path, entries: dict[str, Entry]) -> None:
    """Replace the inventory durably."""
    rows = [_row(entry) for entry in entries.values()]
    durable.write(path, json.dumps(rows, indent=1, sort_keys=True).encode("ascii"))


def public_key_info(algorithm: KeyAlgorithm, point: bytes) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a point as the token gives it (RFC 5480, RFC 8410)."""
    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    if algorithm is KeyAlgorithm.P256:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    else:
        key = ed25519.Ed25519PublicKey.from_public_bytes(point[-32:])
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _row(entry: Entry) -> dict[str, str | bool]:
    info = entry.info
    return {
        "label": info.label,
        "algorithm": info.algorithm.value,
        "purpose": info.purpose.value,
        "spki": info.spki.hex(),
        "extractable": info.extractable,
        "sensitive": info.sensitive,
        "never_extractable": info.never_extractable,
        "local": info.local,
        "private": info.private,
        "id": entry.identifier.hex(),
    }


def _parse(row: dict[str, str | bool]) -> Entry:
    spki = bytes.fromhex(str(row["spki"]))
    info = KeyInfo(
        label=str(row["label"]),
        algorithm=KeyAlgorithm(str(row["algorithm"])),
        purpose=KeyPurpose(str(row["purpose"])),
        spki=spki,
        spki_sha256=hashlib.sha256(spki).hexdigest(),
        extractable=bool(row["extractable"]),
        sensitive=bool(row["sensitive"]),
        never_extractable=bool(row["never_extractable"]),
        local=bool(row["local"]),
        private=bool(row["private"]),
    )
    return Entry(info, bytes.fromhex(str(row["id"])))
