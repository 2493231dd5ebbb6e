"""Files beside our checkpoints, made by others: cosigned notes, time-stamp tokens; in the log's folder and its mirror.

The log itself is the sequencer's; nothing here touches tiles, ``checkpoint`` or ``checkpoints/``.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.ledger.storage import Writer, translated


class Beside:
    """One kind of such files, named below ``name`` in every folder."""

    def __init__(self, folders: Sequence[Path], name: str, writer: Writer) -> None:
        """Write nothing yet; the first folder is the log's own."""
        self.folders = folders
        self._name = name
        self._writer = writer

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold these files against other runs: two must not write one file, nor the slower put an older one back."""
        place = self.folders[0] / self._name
        with translated(place):
            place.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(place, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def write(self, folder: Path, name: str, content: bytes) -> None:
        """Write one file durably, unless it is there already. Raises ``StorageFailed``."""
        path = folder / name
        with translated(path):
            if not path.exists() or path.read_bytes() != content:
                self._writer.write(path, content)
