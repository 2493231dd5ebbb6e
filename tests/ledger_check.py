"""Re-read the whole log from outside, through its public format, and verify all of it.

Written apart from the product: hashes by the definition of RFC 9162 (2.1.1), names by C2SP tlog-tiles, and nothing of
``core.ledger`` but its tables.
"""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import col, select

from core.database import Database
from core.ledger.models import EvidenceRow, LedgerCheckpoint


def check_ledger(database: Database, directory: Path, vkey: str, *, complete: bool = True) -> int:
    """Raise ``AssertionError`` unless the log in ``directory`` is whole, signed, and holds the records of the store.

    With ``complete`` no record may wait to be published. Returns the size.
    """
    entries, leaves = check_folder(directory, vkey)
    with database.read() as session:
        rows = session.exec(select(EvidenceRow).order_by(col(EvidenceRow.row))).all()
        signed = session.exec(select(LedgerCheckpoint).order_by(col(LedgerCheckpoint.size))).all()
        session.expunge_all()
    numbered = sorted((row for row in rows if row.sequence is not None), key=lambda row: row.sequence or 0)
    assert [row.sequence for row in numbered] == list(range(len(numbered))), "numbers have a gap"
    assert [row.content for row in numbered[: len(entries)]] == entries, "the log holds other records than the store"
    if complete:
        assert len(entries) == len(rows), f"{len(rows) - len(entries)} records are not in the log"
        assert all(checkpoint.published_at for checkpoint in signed), "a signed checkpoint is not published"
    cache: dict[tuple[int, int], bytes] = {}
    for checkpoint in signed:
        if checkpoint.size <= len(leaves):
            assert checkpoint.root == _mth(leaves, 0, checkpoint.size, cache).hex(), f"root of {checkpoint.size}"
        if checkpoint.published_at:
            assert (directory / "checkpoints" / str(checkpoint.size)).read_bytes() == checkpoint.note
    return len(entries)


def check_folder(directory: Path, vkey: str) -> tuple[list[bytes], list[bytes]]:
    """Check one copy of the log by itself: a mirror, or an unpacked bundle. Returns entries and leaf hashes."""
    if not (directory / "checkpoint").exists():
        assert not list(directory.glob("checkpoints/[0-9]*")), "signed checkpoints, but none is shown"
        return [], []
    size, root = _open_note((directory / "checkpoint").read_bytes(), vkey)
    entries = _read_entries(directory, size)
    leaves = [_leaf(entry) for entry in entries]
    _check_stubs(entries)
    cache: dict[tuple[int, int], bytes] = {}
    assert _mth(leaves, 0, size, cache) == root, "the root is not that of the entries"
    _check_tiles(directory, leaves, cache)
    history = sorted(int(path.name) for path in (directory / "checkpoints").iterdir() if not path.name.startswith("."))
    assert size in history, "the shown checkpoint is not in the history"
    for past in history:
        claimed, old_root = _open_note((directory / "checkpoints" / str(past)).read_bytes(), vkey)
        assert claimed == past, f"the checkpoint of {past} says {claimed}"
        if past <= size:
            assert _mth(leaves, 0, past, cache) == old_root, f"the log does not begin with what was signed at {past}"
    return entries, leaves


def _leaf(entry: bytes) -> bytes:
    """A purged record leaves a stub with its hash."""
    said = json.loads(entry)
    if said.get("purged") is True:
        assert set(said) == {"v", "purged", "leaf", "by"}
        return bytes.fromhex(said["leaf"])
    return hashlib.sha256(b"\x00" + entry).digest()


def _check_stubs(entries: list[bytes]) -> None:
    """Each stub is named by the later record that it names."""
    said = [json.loads(entry) for entry in entries]
    places = {one["id"]: number for number, one in enumerate(said) if "id" in one}
    for number, one in enumerate(said):
        if "purged" in one:
            purge = said[places[one["by"]]]
            assert places[one["by"]] > number
            assert purge["type"] == "ledger.records.purged"
            assert any(first <= number <= last for first, last in purge["details"]["numbers"])


def _open_note(note: bytes, vkey: str) -> tuple[int, bytes]:
    name, digest, key = vkey.split("+", 2)
    raw = base64.b64decode(key)
    assert raw[0] == 1
    key_hash = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    assert key_hash.hex() == digest
    text, signature = note.split(b"\n\n")
    dash, signer, blob = signature.decode().rstrip("\n").split(" ")
    assert (dash, signer) == ("\u2014", name)
    decoded = base64.b64decode(blob)
    assert decoded[:4] == key_hash
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(decoded[4:], text + b"\n")
    origin, size, root = text.decode().split("\n")
    assert origin == name
    return int(size), base64.b64decode(root)


def _read_entries(directory: Path, size: int) -> list[bytes]:
    entries: list[bytes] = []
    for index in range((size + 255) // 256):
        content = _tile(directory, "entries", index, min(256, size - index * 256))
        while content:
            length = int.from_bytes(content[:2], "big")
            entries.append(content[2 : 2 + length])
            assert len(entries[-1]) == length
            content = content[2 + length :]
        assert len(entries) == min(size, (index + 1) * 256), f"bundle {index} has the wrong number of entries"
    return entries


def _check_tiles(directory: Path, leaves: list[bytes], cache: dict[tuple[int, int], bytes]) -> None:
    level, span = 0, 1
    while len(leaves) // span:
        count = len(leaves) // span
        for index in range((count + 255) // 256):
            width = min(256, count - index * 256)
            starts = [(index * 256 + place) * span for place in range(width)]
            expected = b"".join(_mth(leaves, start, start + span, cache) for start in starts)
            assert _tile(directory, str(level), index, width) == expected, f"tile {level}/{index} of width {width}"
        level, span = level + 1, span * 256


def _tile(directory: Path, level: str, index: int, width: int) -> bytes:
    digits = f"{index:03}" if index < 1000 else f"x{index // 1000:03}/{index % 1000:03}"
    assert index < 1_000_000
    partial = directory / "tile" / level / f"{digits}.p" / str(width)
    return partial.read_bytes() if width < 256 else (directory / "tile" / level / digits).read_bytes()


def _mth(leaves: list[bytes], start: int, end: int, cache: dict[tuple[int, int], bytes]) -> bytes:
    """MTH of RFC 9162, as it is defined there."""
    if end == start:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return leaves[start]
    if (start, end) not in cache:
        split = 1
        while split * 2 < end - start:
            split *= 2
        left, right = _mth(leaves, start, start + split, cache), _mth(leaves, start + split, end, cache)
        cache[start, end] = hashlib.sha256(b"\x01" + left + right).digest()
    return cache[start, end]
