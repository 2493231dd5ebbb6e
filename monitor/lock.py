"""One sensor to a directory: a lock that is held as long as the sensor or the Suricata that it started lives."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict

_PAUSE = 0.05


@contextmanager
def held(path: Path, *, patience: float = 20.0) -> Iterator[int]:
    """Hold the lock in the file ``path``; the open file that is yielded holds it too in whoever inherits it.

    A sensor that was killed leaves its Suricata behind for a moment, so it is tried for ``patience`` seconds. Raises
    ``Conflict`` after that, and ``OSError`` when the file cannot be made.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + patience
        while not _take(file):
            if time.monotonic() > deadline:
                detail = f"a sensor runs in `{path.parent}` already"
                raise Conflict(detail, hint="end that one, or give this one a directory of its own", reason="in-use")
            time.sleep(_PAUSE)
        yield file
    finally:
        os.close(file)


def _take(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
