"""Chinese or English: remembered once it was chosen, else what the browser asks for, else Chinese."""

from enum import StrEnum

from fastapi import Request
from fastapi.responses import Response

#: Remembers the choice; ``__Host-`` means: over TLS, from this host, for all of it (RFC 6265bis, 4.1.3.2).
COOKIE = "__Host-guosuo-language"

#: A year, in seconds.
_YEAR = 31_536_000


class Language(StrEnum):
    """What a page is written in."""

    CHINESE = "zh"
    ENGLISH = "en"


_KNOWN = frozenset(one.value for one in Language)


def of(request: Request) -> Language:
    """Return the language for a request."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in _KNOWN:
        return Language(chosen)
    return preferred(request.headers.get("accept-language", ""))


def preferred(header: str) -> Language:
    """Return the first of ours in an ``Accept-Language`` (RFC 9110, 12.5.4) by weight."""
    weighed = sorted((_read(part, place) for place, part in enumerate(header[:400].split(","))), reverse=True)
    known = (Language(tag) for weight, _place, tag in weighed if weight > 0 and tag in _KNOWN)
    return next(known, Language.CHINESE)


def _read(part: str, place: int) -> tuple[float, int, str]:
    tag, _, rest = part.strip().lower().partition(";")
    try:
        weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
    except ValueError:
        weight = 0.0
    return weight, -place, tag.strip().partition("-")[0]


def remember(answer: Response, chosen: Language) -> None:
    """Let the browser remember a language."""
    answer.set_cookie(COOKIE, chosen, path="/", max_age=_YEAR, secure=True, httponly=True, samesite="lax")
