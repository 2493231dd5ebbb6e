"""The target of an HTTP request (RFC 9112 section 3.2.1): accepted only in the one form that nobody can misread. Pure.

nginx decodes and merges before it picks a location, but passes on what the client wrote; the application reads that in
its own way. Where the two could differ, a decision about one is not a decision about the other. So what we decide on
is the raw target, and anything not already canonical is refused rather than repaired.
"""

import re
import unicodedata
from collections.abc import Sequence

from core.errors import Malformed

#: Most octets of a target; nginx itself takes request lines of up to 8 KiB.
LONGEST = 4096

#: RFC 3986 section 3.3 without ``;`` (path parameters) and with percent-encoding in capitals only.
_SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-F]{2})+")

#: RFC 3986 section 3.4, tolerant of the few characters that browsers send raw, none of them control or blank.
_QUERY = re.compile(r"[\x21-\x22\x24-\x7e]*")

_ENCODED = re.compile(r"%([0-9A-F]{2})")

#: Encoded, these would mean something to the next reader: a separator, an escape, the start of a query.
_MEANINGFUL = frozenset(b'/\\%;?#"<>^`{|}*')

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class BadTarget(Malformed):
    """The target could be read in two ways, or not at all."""

    reason = "malformed-path"


def parse_target(raw: str) -> str:
    """Return the path of an origin-form target, still percent-encoded. Raises ``BadTarget``."""
    if len(raw) > LONGEST:
        raise BadTarget(f"the target is longer than {LONGEST} octets")
    path, _, query = raw.partition("?")
    if not _QUERY.fullmatch(query):
        raise BadTarget("the query holds a control character, a blank or a `#`")
    check_path(path)
    return path


def check_path(path: str) -> None:
    """Raise ``BadTarget`` unless ``path`` is absolute and canonical."""
    if not path.startswith("/"):
        raise BadTarget(f"`{path[:80]}` does not begin with a slash")
    segments = path[1:].split("/")
    # The last segment may be empty (`/`, `/folder/`); any other would be merged by one reader and not by another.
    for segment in segments if segments[-1] else segments[:-1]:
        _check_segment(segment)


def _check_segment(segment: str) -> None:
    if not _SEGMENT.fullmatch(segment):
        raise BadTarget(f"`{segment[:80]}` is empty or holds a character that must be encoded")
    octets = [int(digits, 16) for digits in _ENCODED.findall(segment)]
    if any(octet in _UNRESERVED or octet in _MEANINGFUL for octet in octets):
        raise BadTarget(f"`{segment[:80]}` encodes a character that needs no encoding or changes the meaning")
    decoded = _decode(segment)
    if any(unicodedata.category(one)[0] in "CZ" for one in decoded):
        raise BadTarget(f"`{segment[:80]}` holds a control character or a blank")
    if decoded.endswith("."):
        raise BadTarget(f"`{segment[:80]}` ends in a dot")


def _decode(segment: str) -> str:
    octets = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), segment.encode("ascii"))
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadTarget(f"`{segment[:80]}` is not UTF-8") from error


def closest(path: str, patterns: Sequence[str]) -> str | None:
    """Return the pattern that fits ``path`` most closely: an exact one, or else the longest ending in ``/*``."""
    return max((one for one in patterns if _covers(one, path)), key=_weight, default=None)


def closest_tolerant(path: str, patterns: Sequence[str]) -> str | None:
    """Return the closest pattern for a reader who ignores case, width and a last slash."""
    folded = _fold(path)
    return max((one for one in patterns if _covers_folded(one, folded)), key=_weight, default=None)


def _covers(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("/*") else path == pattern


def _covers_folded(pattern: str, folded: str) -> bool:
    if pattern.endswith("/*"):
        return f"{folded}/".startswith(_fold(pattern[:-2]).rstrip("/") + "/")
    return _fold(pattern) == folded


def _weight(pattern: str) -> tuple[bool, int]:
    return (not pattern.endswith("/*"), len(pattern))


def _fold(path: str) -> str:
    decoded = "/".join(_decode(segment) for segment in path.split("/"))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", decoded).casefold()).rstrip("/")
