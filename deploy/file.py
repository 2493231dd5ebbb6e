"""Files that people hand in: text, with a largest size, and a clear word when one cannot be read."""

import os
from pathlib import Path

from core.errors import Malformed, NotFound

#: Most octets of a file that is read as text.
LARGEST = 4 * 1024 * 1024


def read_text(path: Path, *, largest: int = LARGEST) -> str:
    """Return a file's text. Raises ``NotFound``, or ``Malformed`` when it is too large or not UTF-8."""
    try:
        return read_bytes(path, largest=largest).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"`{path}` is not UTF-8 text") from error


def read_bytes(path: Path, *, largest: int = LARGEST) -> bytes:
    """Return a file's octets. Raises ``NotFound``, or ``Malformed`` when it is too large."""
    try:
        if path.stat().st_size > largest:
            raise Malformed(f"`{path}` is larger than {largest} octets", reason="too-large")
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"`{path}` cannot be read: {(error.strerror or '').lower()}") from error


def check_target(path: Path) -> None:
    """Raise ``NotFound`` unless a file can be made at ``path``: asked before what cannot be undone, not after."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise NotFound(f"`{path}` cannot be written", hint="name a file in a folder that is there and yours")
