"""Records in one plain file, on the disk before anybody goes on: what a store is held against."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def separately(path: Path, records: Sequence[bytes], times: int) -> float:
    """Let a writer for each of ``records`` append it and wait for the disk ``times`` times; return records a second."""
    writers = [threading.Thread(target=_append, args=(path, record, times)) for record in records]
    begun = time.perf_counter()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return len(records) * times / (time.perf_counter() - begun)


def together(path: Path, records: Sequence[bytes], times: int) -> float:
    """Append all ``records`` by one write and wait for the disk once, ``times`` times; return records a second."""
    begun = time.perf_counter()
    _append(path, b"".join(records), times)
    return len(records) * times / (time.perf_counter() - begun)


def _append(path: Path, content: bytes, times: int) -> None:
    with _opened(path) as handle:
        for _ in range(times):
            os.write(handle, content)
            os.fdatasync(handle)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
