"""Where tests keep their files: in memory when there is enough, or else where temporary files are.

They wait for the disk thousands of times, and what they show (kills, failures, order) does not depend on it.
"""

import os
import shutil
import tempfile
from pathlib import Path

#: Octets that the whole suite may have at a time.
_ENOUGH = 3 << 30

_PLACES = (Path("/dev/shm"),)  # every folder made in it has a name of its own

#: Nothing when there is none.
MEMORY = next((one for one in _PLACES if os.access(one, os.W_OK) and shutil.disk_usage(one).free > _ENOUGH), None)


def use() -> None:
    """Make temporary files there from now on, also in programs that are started."""
    if MEMORY is not None and "TMPDIR" not in os.environ:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
