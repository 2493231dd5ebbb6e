"""Pages: templates of a package within the common shell, everything printed cleaned and escaped, no part optional.

What is printed passes through one function: controls and bidirectional overrides become a replacement character, so
that no name in the register can make a page say something else than what is recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import cast

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from core import text
from core.clock import to_rfc3339
from core.console import asset, language
from core.console.language import Language
from core.console.viewer import COOKIE as SECRET
from core.console.viewer import Viewer

#: Most characters of one thing that is printed: the longest that anybody may write is a thousand.
_LONGEST = 4000

#: The time of the province, all year round.
_BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu: shown to whoever may ``action``; ``key`` is its access key."""

    path: str
    chinese: str
    english: str
    action: str
    key: str


@dataclass(frozen=True, slots=True)
class Navigation:
    """The menu."""

    entries: tuple[Entry, ...] = ()


class Pages:
    """The templates of one package."""

    def __init__(self, package: str) -> None:
        """Take the templates from ``package``, and the shell from here."""
        loader = ChoiceLoader([PackageLoader(package), PackageLoader("core.console")])
        self._environment = Environment(
            loader=loader,
            autoescape=True,
            undefined=StrictUndefined,
            finalize=printed,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["said"] = said

    def answer(
        self,
        request: Request,
        viewer: Viewer | None,
        name: str,
        values: Mapping[str, object],
        status: HTTPStatus = HTTPStatus.OK,
    ) -> HTMLResponse:
        """Return the page ``name``; ``viewer`` is missing only where nobody was let in."""
        spoken = viewer.language if viewer else language.of(request)
        common = _common(request, viewer, spoken)
        content = self._environment.get_template(name).render({**common, **values})
        answer = HTMLResponse(content, status_code=int(status), headers={"Content-Language": str(spoken)})
        if viewer is not None and viewer.fresh:
            # Until the browser is closed; sent along with requests of our own pages alone.
            answer.set_cookie(SECRET, viewer.secret, path="/", secure=True, httponly=True, samesite="strict")
        return answer


def printed(value: object) -> object:
    """Return what a page prints for a value; everything else than our own markup is cleaned, and escaped after this."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, datetime):
        return told(value)
    return "" if value is None else text.clean(str(value), _LONGEST)


def said(value: object) -> Markup:
    """Return somebody else's words, set apart so that their direction of writing stays their own."""
    return Markup("<bdi>{}</bdi>").format(text.clean(str(value), _LONGEST))


def told(moment: datetime) -> Markup:
    """Return a moment as the province reads it, and as machines do."""
    shown = moment.astimezone(_BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{} <small>+08:00</small></time>').format(to_rfc3339(moment), shown)


def _common(request: Request, viewer: Viewer | None, spoken: Language) -> dict[str, object]:
    def pick(chinese: str, english: str) -> str:
        return chinese if spoken is Language.CHINESE else english

    menu = cast("Navigation", request.app.state.provided.get(Navigation, Navigation()))
    offered = viewer.offered([one.action for one in menu.entries]) if viewer else frozenset()
    return {
        "t": pick,
        "language": spoken,
        "here": request.url.path,
        "query": request.url.query,
        "me": viewer.principal if viewer else None,
        "menu": [(one, pick(one.chinese, one.english)) for one in menu.entries if one.action in offered],
        "style": asset.address("console.css"),
        "script": asset.address("console.js"),
        "mark": asset.address("mark.svg"),
        "token": viewer.token if viewer else None,
    }
