"""Files that people hand in: text, with a largest size, and a clear word when one cannot be read."""

from pathlib import Path

from core.errors import Malformed, NotFound

#: Most octets of a file that is read as text.
LARGEST = 4 * 1024 * 1024


def read_text(path: Path, *, largest: int = LARGEST) -> str:
    """Return a file's text. Raises ``NotFound``, or ``Malformed`` when it is too large or not UTF-8."""
    try:
        if path.stat().st_size > largest:
            raise Malformed(f"`{path}` is larger than {largest} octets", reason="too-large")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"`{path}` cannot be read: {(error.strerror or '').lower()}") from error
    except UnicodeDecodeError as error:
        raise Malformed(f"`{path}` is not UTF-8 text") from error
