"""The names and contents of tiles and entry bundles (C2SP tlog-tiles), and a tree that grows into them.

Pure: functions of values. A tile holds up to 256 hashes of 32 octets; an entry bundle the entries under a tile of
level 0, each after its length in two octets. An incomplete tile carries its width in its name: ``000.p/57``.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from core.ledger.entry import MAXIMUM_OCTETS
from core.ledger.errors import BadTile
from core.ledger.merkle import HASH_OCTETS, CompactRange, leaf_hash, root_hash

#: Hashes in a full tile, entries in a full bundle.
WIDTH = 256

#: In place of a level: the name of the entry bundles.
ENTRIES = "entries"


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile: its index in groups of three digits, all but the last with an ``x`` before them."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    name = "/".join(groups)
    return f"tile/{level}/{name}" if width == WIDTH else f"tile/{level}/{name}.p/{width}"


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return entries as an entry bundle. Raises ``BadTile`` for one that is too long."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAXIMUM_OCTETS:
            raise BadTile(f"an entry of {len(entry)} octets does not fit into a bundle")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def parse_bundle(content: bytes) -> list[bytes]:
    """Read an entry bundle. Raises ``BadTile`` when its lengths do not add up or it holds more than 256 entries."""
    entries: list[bytes] = []
    position = 0
    while position < len(content):
        end = position + 2 + int.from_bytes(content[position : position + 2], "big")
        if position + 2 > len(content) or end > len(content):
            raise BadTile(f"entry {len(entries)} of the bundle reaches beyond its end")
        entries.append(content[position + 2 : end])
        position = end
    if len(entries) > WIDTH:
        raise BadTile(f"a bundle of {len(entries)} entries is wider than {WIDTH}")
    return entries


def parse_tile(content: bytes) -> list[bytes]:
    """Read a tile of hashes. Raises ``BadTile`` for a length that no tile has."""
    if len(content) % HASH_OCTETS or not 0 < len(content) <= WIDTH * HASH_OCTETS:
        raise BadTile(f"a tile cannot have {len(content)} octets")
    return [content[at : at + HASH_OCTETS] for at in range(0, len(content), HASH_OCTETS)]


def full_path(path: str) -> str:
    """Return the name that an incomplete tile will have when it is full; the same for a full one."""
    parent = PurePosixPath(path).parent
    return str(parent)[: -len(".p")] if parent.name.endswith(".p") else path


class TileTree:
    """A tree that grows by entries and turns them into tiles; keeps only its right edge in memory."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self._range = CompactRange()
        self._bundle: list[bytes] = []
        # INVARIANT: _levels[n] holds the hashes of the incomplete tile of level n, fewer than WIDTH of them.
        self._levels: list[list[bytes]] = [[]]
        self._complete: dict[str, bytes] = {}

    @classmethod
    def resume(cls, levels: Sequence[Sequence[bytes]], entries: Sequence[bytes]) -> "TileTree":
        """Go on from a right edge: the hashes of the incomplete tile of each level, and the entries under the first.

        Whether it is the right one, its root says.
        """
        tree = cls()
        tree._levels = [list(tile) for tile in levels] or [[]]
        tree._bundle = list(entries)
        for level in reversed(range(len(levels))):
            for node in levels[level]:
                tree._range.append_perfect(node, WIDTH**level)
        return tree

    @property
    def size(self) -> int:
        """Number of entries so far."""
        return self._range.size

    def root(self) -> bytes:
        """Return the root hash of the tree as it is now."""
        return self._range.root()

    def edge(self, level: int) -> Sequence[bytes]:
        """Return the hashes of the incomplete tile of ``level``."""
        return self._levels[level] if level < len(self._levels) else ()

    def append(self, entry: bytes, *, leaf: bytes | None = None) -> None:
        """Add the next entry; ``leaf`` is its leaf hash where the entry is only a stub (``stub.py``)."""
        leaf = leaf or leaf_hash(entry)
        self._bundle.append(entry)
        if len(self._bundle) == WIDTH:
            self._complete[tile_path(ENTRIES, self.size // WIDTH)] = encode_bundle(self._bundle)
            self._bundle = []
        self._push(0, leaf)
        self._range.append(leaf)

    def _push(self, level: int, node: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
        tile = self._levels[level]
        tile.append(node)
        if len(tile) == WIDTH:
            index = self.size // WIDTH ** (level + 1)
            self._complete[tile_path(level, index)] = b"".join(tile)
            self._levels[level] = []
            self._push(level + 1, root_hash(tile))

    def take_complete(self) -> Mapping[str, bytes]:
        """Return the tiles that have become full since the last call, by path."""
        complete, self._complete = self._complete, {}
        return complete

    def incomplete(self) -> Mapping[str, bytes]:
        """Return the incomplete tiles that a checkpoint of the present size needs, by path."""
        tiles: dict[str, bytes] = {}
        if self._bundle:
            tiles[tile_path(ENTRIES, self.size // WIDTH, len(self._bundle))] = encode_bundle(self._bundle)
        for level, tile in enumerate(self._levels):
            if tile:
                tiles[tile_path(level, self.size // WIDTH ** (level + 1), len(tile))] = b"".join(tile)
        return tiles
