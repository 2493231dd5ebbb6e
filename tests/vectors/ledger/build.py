"""Rebuild ``vectors.json``: ``python tests/vectors/ledger/build.py``. Imports nothing of the product.

A second implementation, written from RFC 9162 (2.1.1 to 2.1.4) by its recursive definitions and from C2SP signed-note,
tlog-checkpoint and tlog-tiles; the product grows its trees step by step and verifies by the iterative algorithms.
Ed25519 comes from OpenSSL's command line, so that not even the signature shares code with the product's tests.
"""

import base64
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 255, 256, 257, 300)
ORIGIN = "vectors.beichen.example/sample"
SEED = hashlib.sha256(b"guosuo vectors").digest()


def entry(number: int) -> bytes:
    """Entries of every length from none up, none of them JSON: the tree does not care."""
    return (hashlib.sha256(str(number).encode()).hexdigest() * 3)[: number % 190].encode()


def mth(leaves: list[bytes]) -> bytes:
    """MTH(D[n]), RFC 9162, 2.1.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]), RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b), RFC 9162, 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def openssl_key() -> tuple[bytes, Path]:
    """Return the raw public key of the fixed seed and a file with the private key."""
    pkcs8 = bytes.fromhex("302e020100300506032b657004220420") + SEED
    file = Path(tempfile.mkdtemp()) / "key.der"
    file.write_bytes(pkcs8)
    command = ["openssl", "pkey", "-inform", "DER", "-in", str(file), "-pubout", "-outform", "DER"]
    return subprocess.run(command, capture_output=True, check=True).stdout[-32:], file


def sign(file: Path, message: bytes) -> bytes:
    text = file.with_name("message")
    text.write_bytes(message)
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", str(file), "-in", str(text)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def tiles(entries: list[bytes]) -> dict[str, str]:
    """The digest of every tile and entry bundle by its path (C2SP tlog-tiles)."""
    found: dict[str, str] = {}
    for start in range(0, len(entries), 256):
        part = entries[start : start + 256]
        content = b"".join(len(one).to_bytes(2, "big") + one for one in part)
        found[name("entries", start // 256, len(part))] = hashlib.sha256(content).hexdigest()
    level, span = 0, 1
    while len(entries) >= span:
        hashes = [mth(entries[at : at + span]) for at in range(0, len(entries) - span + 1, span)]
        for start in range(0, len(hashes), 256):
            part = hashes[start : start + 256]
            found[name(str(level), start // 256, len(part))] = hashlib.sha256(b"".join(part)).hexdigest()
        level, span = level + 1, span * 256
    return found


def name(level: str, index: int, width: int) -> str:
    assert index < 1000
    return f"tile/{level}/{index:03}" + (f".p/{width}" if width < 256 else "")


def build() -> dict[str, object]:
    public, file = openssl_key()
    key_hash = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    trees = []
    for size in SIZES:
        entries = [entry(number) for number in range(size)]
        text = f"{ORIGIN}\n{size}\n{b64(mth(entries))}\n"
        note = f"{text}\n\u2014 {ORIGIN} {b64(key_hash + sign(file, text.encode()))}\n"
        picked = sorted({0, size // 3, size // 2, size - 1})
        trees.append(
            {
                "size": size,
                "root": b64(mth(entries)),
                "checkpoint": note,
                "inclusion": {str(m): [b64(one) for one in path(m, entries)] for m in picked},
                "consistency": {
                    str(m): [b64(one) for one in subproof(m, entries, whole=True)] for m in SIZES if m <= size
                },
                "tiles": tiles(entries),
            }
        )
    indices = {str(index): tile_index(index) for index in (0, 7, 999, 1000, 67_000, 1_234_067, 999_999_999)}
    return {"vkey": f"{ORIGIN}+{key_hash.hex()}+{b64(bytes([1]) + public)}", "indices": indices, "trees": trees}


def tile_index(index: int) -> str:
    """The path of a tile's index, as C2SP tlog-tiles words it: 1234067 is ``x001/x234/067``."""
    digits = str(index)
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


if __name__ == "__main__":
    target = Path(__file__).with_name("vectors.json")
    target.write_text(json.dumps(build(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
