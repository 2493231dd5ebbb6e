"""Hold the records against what was signed for them, and each copy of the log against the records, tile by tile.

What a tile must hash to is known from the tile above it, and so on up to the right edge, which is under a signature. So
a record that was changed in the store is found, a tile that was lost or damaged is written again, and a good tile is
never written over by a bad record.
"""

from collections.abc import Sequence

from core.database import Database
from core.ledger import numbered, published
from core.ledger.errors import BadTile, InconsistentLog, TileLost, UnknownTile
from core.ledger.merkle import root_hash
from core.ledger.storage import LogFolder
from core.ledger.tiles import ENTRIES, WIDTH, TileTree, encode_bundle, tile_path

#: Tiles are written when this many wait.
TILES_WAITING = 64


class Scrubber:
    """Goes through the full tiles of a tree, again and again."""

    def __init__(self, *, database: Database, copies: Sequence[LogFolder], tree: TileTree) -> None:
        """Look at ``tree``, which grows meanwhile; its right edge is what everything is held against."""
        self._database = database
        self._copies = copies
        self._tree = tree
        self._next = 0
        self._above: dict[int, tuple[int, Sequence[bytes]]] = {}

    def step(self, most: int) -> None:
        """Look at up to ``most`` tiles, and begin again after the last. Raises as ``check`` does."""
        full = self._tree.size // WIDTH
        for _ in range(min(most, full)):
            self.check(self._next % full)
            self._next = (self._next + 1) % full
        self._write()

    def fill(self, start: int) -> None:
        """Look at every full tile that reaches beyond record ``start``. Raises as ``check`` does."""
        for index in range(start // WIDTH, self._tree.size // WIDTH):
            self.check(index)
        self._write()

    def check(self, index: int) -> None:
        """Check the records under tile ``index``, and let every copy have that tile, its bundle and those above it.

        Raises ``InconsistentLog`` for a record that is not the one that was signed for, ``TileLost`` when no copy has
        a tile above it any more, ``StorageFailed``.
        """
        expected = self._hash(1, index)
        with self._database.read() as session:
            records = numbered.read(session, index * WIDTH, WIDTH)
        leaves = [record.leaf for record in records]
        if root_hash(leaves) != expected:
            raise InconsistentLog(
                f"records {index * WIDTH} to {index * WIDTH + WIDTH - 1} are not those that were signed: "
                "a record was changed in the store",
                hint="nothing more is signed; compare the store with the entry bundles of the mirror",
            )
        bundle = encode_bundle(record.content for record in records)
        self._add({tile_path(0, index): b"".join(leaves), tile_path(ENTRIES, index): bundle})

    def _hash(self, level: int, index: int) -> bytes:
        """Return hash number ``index`` of ``level``, as the right edge warrants it."""
        tile, place = divmod(index, WIDTH)
        if tile == self._tree.size // WIDTH ** (level + 1):
            return self._tree.edge(level)[place]
        known = self._above.get(level)
        if known is None or known[0] != tile:
            known = self._above[level] = (tile, self._full(level, tile))
        return known[1][place]

    def _full(self, level: int, tile: int) -> Sequence[bytes]:
        """Return a full tile from whichever copy has it right, and let the others have it too."""
        expected = self._hash(level + 1, tile)
        for copy in self._copies:
            try:
                found = published.hashes(copy.directory, level, tile, WIDTH)
            except (UnknownTile, BadTile):
                continue
            if root_hash(found) == expected:
                self._add({tile_path(level, tile): b"".join(found)})
                return found
        raise TileLost(f"tile {tile} of level {level} is in no copy of the evidence")

    def _add(self, tiles: dict[str, bytes]) -> None:
        for copy in self._copies:
            copy.add(tiles)
            if copy.waiting > TILES_WAITING:
                copy.write_tiles()

    def _write(self) -> None:
        for copy in self._copies:
            copy.write_tiles()
