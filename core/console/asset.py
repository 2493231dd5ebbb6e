"""Style, script and mark of the console: files of ours, from our own origin, named by what they hold."""

import hashlib
from functools import cache
from importlib.resources import files

from core.errors import NotFound

#: What there is, and what it is.
KINDS = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}

PATH = "/console/static"


@cache
def content(name: str) -> bytes:
    """Return an asset. Raises ``NotFound``."""
    if name not in KINDS:
        raise NotFound("there is no such file")
    return files("core.console").joinpath("static").joinpath(name).read_bytes()


def address(name: str) -> str:
    """Return the address of an asset; another content has another one, so that a browser may keep it for ever."""
    return f"{PATH}/{name}?{hashlib.sha256(content(name)).hexdigest()[:16]}"
