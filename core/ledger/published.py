"""Read the published log from its folder, by the names of C2SP tlog-tiles and by no others."""

import re
from functools import partial
from pathlib import Path

from core.ledger import tiles
from core.ledger.errors import StorageFailed, UnknownTile
from core.ledger.proof import TiledTree
from core.ledger.storage import CHECKPOINT, HISTORY

#: The newest checkpoint that a quorum of witnesses cosigned, and all of them by size; ours alone stays beside.
COSIGNED, WITNESSED = "checkpoint.cosigned", "witness"

#: Time-stamp tokens (RFC 3161) over checkpoints, as ``ts/SIZE.tsr``.
STAMPED = "ts"

#: The last part of a tile's path: its index in groups of three digits, and its width when it is incomplete.
_INDEX = r"(x[0-9]{3}/){0,5}[0-9]{3}(\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"

#: A tile of hashes by its level (0 to 63), or an entry bundle.
_TILE = re.compile(rf"tile/([0-9]|[1-5][0-9]|6[0-3]|{tiles.ENTRIES})/{_INDEX}")


def newest(directory: Path) -> bytes:
    """Return the signed note that the log shows. Raises ``UnknownTile`` before the first, ``StorageFailed``."""
    return _read(directory / CHECKPOINT, "the log shows no checkpoint yet")


def cosigned(directory: Path) -> bytes:
    """Return the newest checkpoint with cosignatures. Raises ``UnknownTile`` before the first, ``StorageFailed``."""
    return _read(directory / COSIGNED, "no witness has cosigned a checkpoint yet")


def witnessed(directory: Path) -> dict[int, bytes]:
    """Return every checkpoint that was cosigned, with its cosignatures, by size. Raises ``StorageFailed``."""
    return {int(path.name): _read(path, "") for path in _beside(directory / WITNESSED, "[1-9]*")}


def tokens(directory: Path) -> dict[int, bytes]:
    """Return every time-stamp token by the size of its checkpoint. Raises ``StorageFailed``."""
    return {int(path.stem): _read(path, "") for path in _beside(directory / STAMPED, "[1-9]*.tsr")}


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
    found = tiles.parse_bundle(_at_least(directory, tiles.ENTRIES, index, width))[:width]
    if len(found) < width:
        raise UnknownTile(f"entry bundle {index} holds only {len(found)} of {width} records")
    return found


def hashes(directory: Path, level: int, index: int, width: int) -> list[bytes]:
    """Return the first ``width`` hashes of a tile, also when it has grown since. Raises as ``entries`` does."""
    found = tiles.parse_tile(_at_least(directory, level, index, width))[:width]
    if len(found) < width:
        raise UnknownTile(f"tile {index} of level {level} holds only {len(found)} of {width} hashes")
    return found


def tree(directory: Path, size: int) -> TiledTree:
    """Return the tree of ``size`` records, read from its tiles as far as a proof needs them."""
    return TiledTree(size, partial(hashes, directory))


def _beside(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted((path for path in folder.glob(pattern) if path.stem.isdecimal()), key=lambda path: int(path.stem))
    except OSError as error:
        raise StorageFailed(f"`{folder}` cannot be listed: {error.strerror}") from error


def _at_least(directory: Path, level: int | str, index: int, width: int) -> bytes:
    try:
        return tile(directory, tiles.tile_path(level, index, width))
    except UnknownTile:
        if width == tiles.WIDTH:
            raise
        # The incomplete tile goes when the full one is published (C2SP tlog-tiles, partial tiles).
        return tile(directory, tiles.tile_path(level, index))


def _read(path: Path, absent: str) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UnknownTile(absent) from error
    except OSError as error:
        raise StorageFailed(f"`{path}` cannot be read: {error.strerror}", hint="see `guosuo doctor`") from error
