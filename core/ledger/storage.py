"""The log's files: written so that they survive a crash, and never taken back.

A file appears whole or not at all: written under another name, synchronised, renamed, and its folder synchronised.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from core.ledger import checkpoint
from core.ledger.errors import Fenced, InconsistentLog, StorageFailed
from core.ledger.tiles import full_path

CHECKPOINT = "checkpoint"
HISTORY = "checkpoints"


class Writer(Protocol):
    """Writes one file durably."""

    def write(self, path: Path, content: bytes) -> None:
        """Replace ``path`` by ``content``; when this returns, a power cut does not undo it. Raises ``OSError``."""
        ...


class DurableWriter:
    """The writer for a local file system."""

    def write(self, path: Path, content: bytes) -> None:
        """Write to a temporary name, synchronise, rename, synchronise the folder."""
        _make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.new")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A crash here leaves the old file and a stray temporary one, which the next write replaces.
        temporary.replace(path)
        # A crash here leaves either file, whole.
        _synchronise(path.parent)


class LogFolder:
    """One copy of the log on disk: its tiles, its checkpoint, and every checkpoint before."""

    def __init__(self, directory: Path, writer: Writer) -> None:
        """Use ``directory``; it is made when it is first written to."""
        self.directory = directory
        self._writer = writer
        self._waiting: dict[str, bytes] = {}

    def add(self, tiles: Mapping[str, bytes]) -> None:
        """Keep tiles to be written; they stay until a write of theirs has succeeded."""
        self._waiting.update(tiles)

    @property
    def waiting(self) -> int:
        """How many tiles are not yet known to be on disk."""
        return len(self._waiting)

    def write_tiles(self) -> None:
        """Write every waiting tile. Raises ``StorageFailed``; what was not written stays waiting."""
        for path in list(self._waiting):
            # A crash here leaves tiles that no checkpoint covers yet: the next run writes the same octets.
            self._write(path, self._waiting[path])
            del self._waiting[path]

    def newest(self) -> bytes | None:
        """Return the checkpoint that this copy shows, if it shows one. Raises ``StorageFailed``."""
        return self._read(CHECKPOINT)

    @property
    def shown(self) -> int:
        """The size of the checkpoint that this copy shows, 0 before the first. Raises ``BadCheckpoint``."""
        note = self.newest()
        return 0 if note is None else checkpoint.parse_checkpoint(note).size

    def keep(self, size: int, note: bytes) -> None:
        """Add a signed checkpoint to the history. Raises ``InconsistentLog`` when another of its size is there."""
        path = f"{HISTORY}/{size}"
        there = self._read(path)
        if there is not None and there != note:
            raise InconsistentLog(f"`{self.directory / path}` holds another checkpoint of size {size}")
        self._write(path, note)

    def show(self, note: bytes) -> None:
        """Make ``note`` the log's checkpoint.

        Raises ``Fenced`` when a larger one is shown already, ``InconsistentLog`` for another one of the same size.
        """
        size = checkpoint.parse_checkpoint(note).size
        # Two processes must not read and replace at the same time: the slower would put the older checkpoint back.
        with self._locked():
            there = self.newest()
            shown = checkpoint.parse_checkpoint(there).size if there is not None else -1
            if shown > size:
                raise Fenced(f"a checkpoint of size {shown} is already published, this one has size {size}")
            if shown == size and there != note:
                raise InconsistentLog(f"`{self.directory / CHECKPOINT}` is another checkpoint of size {size}")
            self._write(CHECKPOINT, note)

    def drop_incomplete(self, paths: list[str]) -> None:
        """Remove the incomplete forms of tiles that are full by now and under the shown checkpoint."""
        for path in paths:
            folder = self.directory / f"{full_path(path)}.p"
            with translated(folder):
                if folder.is_dir():
                    shutil.rmtree(folder)

    def _read(self, path: str) -> bytes | None:
        full = self.directory / path
        with translated(full):
            return full.read_bytes() if full.exists() else None

    def _write(self, path: str, content: bytes) -> None:
        if self._read(path) == content:
            return
        full = self.directory / path
        with translated(full):
            self._writer.write(full, content)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with translated(self.directory):
            _make_folder(self.directory)
            descriptor = os.open(self.directory, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Name ``path`` in what goes wrong inside. Raises ``StorageFailed`` for an ``OSError``."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(
            f"`{path}` cannot be read or written: {error.strerror}", hint="see `guosuo doctor`"
        ) from error


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _synchronise(folder.parent)


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
