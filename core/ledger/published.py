"""Read the published log from its folder, by the names of C2SP tlog-tiles and by no others."""

import re
from pathlib import Path

from core.ledger import tiles
from core.ledger.errors import StorageFailed, UnknownTile
from core.ledger.storage import CHECKPOINT, HISTORY

#: The last part of a tile's path: its index in groups of three digits, and its width when it is incomplete.
_INDEX = r"(x[0-9]{3}/){0,5}[0-9]{3}(\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"

#: A tile of hashes by its level (0 to 63), or an entry bundle.
_TILE = re.compile(rf"tile/([0-9]|[1-5][0-9]|6[0-3]|{tiles.ENTRIES})/{_INDEX}")


def newest(directory: Path) -> bytes:
    """Return the signed note that the log shows. Raises ``UnknownTile`` before the first, ``StorageFailed``."""
    return _read(directory / CHECKPOINT, "the log shows no checkpoint yet")


def signed(directory: Path, size: int) -> bytes:
    """Return the signed note of ``size`` from the history. Raises ``UnknownTile`` and ``StorageFailed``."""
    return _read(directory / HISTORY / str(size), f"no checkpoint of size {size} was signed")


def sizes(directory: Path) -> list[int]:
    """Return every size that was signed, ascending. Raises ``StorageFailed``."""
    try:
        return sorted(int(path.name) for path in (directory / HISTORY).iterdir() if path.name.isdecimal())
    except OSError as error:
        raise StorageFailed(f"the evidence's checkpoints cannot be listed: {error.strerror}") from error


def tile(directory: Path, path: str) -> bytes:
    """Return the tile or entry bundle named ``path``. Raises ``UnknownTile`` for every other name."""
    if not _TILE.fullmatch(path):
        raise UnknownTile(f"`{path[:120]}` is not the name of a tile", hint="names are those of C2SP tlog-tiles")
    return _read(directory / path, f"the log has no tile `{path}`")


def entries(directory: Path, index: int, width: int) -> list[bytes]:
    """Return the first ``width`` entries of bundle ``index``, also when it has grown since.

    Raises ``UnknownTile`` when they are not there, ``BadTile``, ``StorageFailed``.
    """
    try:
        content = tile(directory, tiles.tile_path(tiles.ENTRIES, index, width))
    except UnknownTile:
        if width == tiles.WIDTH:
            raise
        # The incomplete bundle goes when the full one is published (C2SP tlog-tiles, partial tiles).
        content = tile(directory, tiles.tile_path(tiles.ENTRIES, index))
    found = tiles.parse_bundle(content)[:width]
    if len(found) < width:
        raise UnknownTile(f"entry bundle {index} holds only {len(found)} of {width} records")
    return found


def _read(path: Path, absent: str) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UnknownTile(absent) from error
    except OSError as error:
        raise StorageFailed(f"`{path}` cannot be read: {error.strerror}", hint="see `guosuo doctor`") from error
