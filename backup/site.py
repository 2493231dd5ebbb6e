"""The files of a site that belong into a recovery point, copied while the site works.

Order matters: the store is cut first, then the inventory of keys is copied, then the token, so that each holds every
key that the one before names. A key made in between is a harmless orphan.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from backup.errors import PointFailed

#: Below the state folder, copied in this order and before everything else.
TOKEN = ("keys.json", "tokens", "token-copy", "softhsm2.conf")

#: What is made anew or comes from elsewhere: sockets and staging, output, and the evidence that is mirrored.
_LEFT_OUT = frozenset({"run", "log", "ledger", "INCOMPLETE", "UNRECONCILED"})

#: The store was cut by its own means; SoftHSM makes its lock files anew.
_OTHERWISE = (".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".lock")

#: How often a file that changes while it is copied is copied again, and the pause between, in seconds.
_TRIES, _PAUSE = 20, 0.01


def copy(state: Path, staging: Path) -> list[str]:
    """Copy token and configuration into ``staging``; return the paths below it. Raises ``PointFailed``.

    Everything that a site keeps is copied, but for what is left out by name: a new kind of file is not forgotten.
    """
    copied = []
    others = sorted(path.name for path in state.iterdir() if path.name not in {*TOKEN, *_LEFT_OUT})
    for name in (*TOKEN, *others):
        for source in _files(state / name):
            path = source.relative_to(state).as_posix()
            if _copy_settled(source, staging / path):
                copied.append(path)
    return copied


def _files(place: Path) -> Iterator[Path]:
    found = sorted(place.rglob("*")) if place.is_dir() else [place]
    for path in found:
        # A hidden file is one that is being written: it gets its name when it is whole.
        if path.is_file() and not path.name.startswith(".") and path.suffix not in _OTHERWISE:
            yield path


def _copy_settled(source: Path, target: Path) -> bool:
    """Copy a file that did not change meanwhile; say whether it was still there."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for _ in range(_TRIES):
        try:
            before = source.stat()
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
            after = source.stat()
        except FileNotFoundError:
            # The token removes an object by removing its file; nothing refers to one that is gone.
            target.unlink(missing_ok=True)
            return False
        if (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino):
            os.chmod(target, before.st_mode & 0o777)
            return True
        time.sleep(_PAUSE)
    raise PointFailed(f"`{source}` changes all the time and cannot be copied", hint="try again")
