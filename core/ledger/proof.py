"""Proofs from the published tiles, and the files that carry them.

Pure: tiles come from a function that is handed in. A proof over n records reads O(log n) tiles, never all leaves
(RFC 9162, 2.1.3 and 2.1.4). Files: C2SP tlog-proof for a record; for a consistency proof the body of C2SP
tlog-witness's ``add-checkpoint``, which says all that there is to say and is what our own witnesses are sent.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.ledger import checkpoint, merkle
from core.ledger.checkpoint import VerifierKey, encode_base64, parse_base64
from core.ledger.errors import BadCheckpoint, BadProof, MalformedProof
from core.ledger.merkle import node_hash
from core.ledger.tiles import WIDTH

#: Hashes of the tile of a level and an index that must hold at least so many.
TileReader = Callable[[int, int, int], Sequence[bytes]]

HEADER = "c2sp.org/tlog-proof@v1"

#: Most hashes of a proof: a tree is no higher (C2SP tlog-witness).
MOST_HASHES = 63

#: Most octets of a file: a record in base64, the hashes, the note.
LARGEST_FILE = 131_072

_TILE_LEVELS = 8
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class TiledTree:
    """The tree of ``size`` records as its tiles tell it; each tile is read once."""

    def __init__(self, size: int, read: TileReader) -> None:
        """Read nothing yet."""
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    def leaf(self, index: int) -> bytes:
        """Return the hash of leaf ``index``."""
        return self._node(0, index)

    def root(self) -> bytes:
        """Return the root hash."""
        return self.root_at(self.size)

    def root_at(self, size: int) -> bytes:
        """Return the root hash over the first ``size`` leaves, whether a checkpoint was ever signed there or not."""
        return self._range(0, size) if size else merkle.EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """Return the audit path of leaf ``index``, from the leaf up. Raises ``BadProof`` when there is none."""
        if not 0 <= index < self.size:
            raise BadProof(f"a tree of {self.size} records has no record {index}")
        path: list[bytes] = []
        start, end = 0, self.size
        while end - start > 1:
            split = start + _split(end - start)
            if index < split:
                path.append(self._range(split, end))
                end = split
            else:
                path.append(self._range(start, split))
                start = split
        return path[::-1]

    def consistency(self, size: int) -> list[bytes]:
        """Prove that this tree begins with its first ``size`` leaves. Raises ``BadProof``.

        A size of 0 is refused: it would prove nothing.
        """
        if not 0 < size <= self.size:
            raise BadProof(f"no consistency can be proved from size {size} to size {self.size}")
        path: list[bytes] = []
        start, end = 0, self.size
        while end != size:
            split = start + _split(end - start)
            if size <= split:
                path.append(self._range(split, end))
                end = split
            else:
                path.append(self._range(start, split))
                start = split
        # The old tree's own last part; when it is the whole old tree, the verifier has it already.
        return path[::-1] if start == 0 else [self._range(start, end), *path[::-1]]

    def _range(self, start: int, end: int) -> bytes:
        """Return the root over the leaves from ``start`` to ``end``, which stand in the tree as one node."""
        count = end - start
        if count & (count - 1) == 0:
            return self._node(count.bit_length() - 1, start // count)
        split = start + _split(count)
        return node_hash(self._range(start, split), self._range(split, end))

    def _node(self, level: int, index: int) -> bytes:
        """Return the root of the perfect subtree number ``index`` of 2^level leaves."""
        below = level % _TILE_LEVELS
        first = index << below
        tile = self._tile(level // _TILE_LEVELS, first // WIDTH)
        hashes = tile[first % WIDTH : first % WIDTH + (1 << below)]
        return merkle.root_hash(hashes)

    def _tile(self, level: int, index: int) -> Sequence[bytes]:
        if (level, index) not in self._tiles:
            width = min(WIDTH, (self.size >> (_TILE_LEVELS * level)) - index * WIDTH)
            self._tiles[level, index] = self._read(level, index, width)
        return self._tiles[level, index]


def _split(size: int) -> int:
    """Return the largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


@dataclass(frozen=True, slots=True)
class RecordProof:
    """A record, its place, its audit path, and the checkpoint (a signed note) that it leads to."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    record: bytes

    def encode(self) -> bytes:
        """Print as a C2SP tlog-proof; the record itself is the extra data, so that the file stands alone."""
        head = [HEADER, f"extra {encode_base64(self.record)}", f"index {self.index}", *map(encode_base64, self.hashes)]
        return "\n".join(head).encode() + b"\n\n" + self.note

    def verify(self, key: VerifierKey) -> None:
        """Verify signature and path. Raises ``BadCheckpointSignature``, ``BadCheckpoint``, ``BadProof``."""
        checkpoint.verify_checkpoint(self.note, key)
        signed = checkpoint.parse_checkpoint(self.note)
        leaf = merkle.leaf_hash(self.record)
        merkle.verify_inclusion(index=self.index, size=signed.size, leaf=leaf, proof=self.hashes, root=signed.root)


def parse_record_proof(content: bytes) -> RecordProof:
    """Read a tlog-proof that carries its record. Raises ``MalformedProof``."""
    head, note = _split_file(content)
    if head[:1] != [HEADER] or len(head) < 3 or not head[1].startswith("extra "):
        raise MalformedProof(f"a proof begins with `{HEADER}`, its record and its number")
    index = head[2].removeprefix("index ")
    if not head[2].startswith("index ") or not _NUMBER.fullmatch(index):
        raise MalformedProof("the third line of a proof is `index` and a number")
    return RecordProof(int(index), _hashes(head[3:]), note, _base64(head[1].removeprefix("extra ")))


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint with the proof that it continues the tree of ``old`` records (C2SP tlog-witness, add-checkpoint)."""

    old: int
    hashes: tuple[bytes, ...]
    note: bytes

    def encode(self) -> bytes:
        """Print as the body of a request."""
        head = [f"old {self.old}", *map(encode_base64, self.hashes)]
        return "\n".join(head).encode() + b"\n\n" + self.note


def parse_submission(content: bytes) -> Submission:
    """Read the body of ``add-checkpoint``. Raises ``MalformedProof``."""
    head, note = _split_file(content)
    old = head[0].removeprefix("old ")
    if not head[0].startswith("old ") or not _NUMBER.fullmatch(old):
        raise MalformedProof("the first line is `old` and a size")
    return Submission(int(old), _hashes(head[1:]), note)


def _split_file(content: bytes) -> tuple[list[str], bytes]:
    """Split at the first empty line; what follows it must be a signed checkpoint."""
    head, separator, note = content.partition(b"\n\n")
    if not separator or len(content) > LARGEST_FILE:
        raise MalformedProof(f"a proof is a head, an empty line and a checkpoint, at most {LARGEST_FILE} octets")
    try:
        checkpoint.parse_checkpoint(note)
        return head.decode("ascii").split("\n"), note
    except UnicodeDecodeError as error:
        raise MalformedProof("the head of a proof is ASCII") from error
    except BadCheckpoint as error:
        raise MalformedProof(f"the checkpoint of a proof: {error.detail}") from error


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    hashes = tuple(_base64(line) for line in lines)
    if len(hashes) > MOST_HASHES or any(len(one) != merkle.HASH_OCTETS for one in hashes):
        raise MalformedProof(f"a proof has at most {MOST_HASHES} hashes of {merkle.HASH_OCTETS} octets, one in a line")
    return hashes


def _base64(text: str) -> bytes:
    try:
        return parse_base64(text)
    except BadCheckpoint as error:
        raise MalformedProof("the base64 of a proof is not in its one form") from error
