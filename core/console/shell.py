"""What belongs to every page: its style and script, the choice of a language, the list of keys."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.console import asset, language
from core.console.language import Language
from core.console.page import Pages
from core.console.viewer import Viewing
from core.enforcement import EnforcedRoute, permission, public

router = APIRouter(route_class=EnforcedRoute, tags=["console"])

_PAGES = Pages("core.console")

#: A year, in seconds: another content has another address.
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}

#: A page of the console, and nothing that a browser could take for another host.
_OWN = r"^/console/[A-Za-z0-9_/.%?&=+:~-]*$"


@router.get("/")
@public
def root() -> RedirectResponse:
    """Show whoever comes without an address where the console is."""
    return RedirectResponse("/console/", status_code=303)


@router.get("/console")
@public
def console() -> RedirectResponse:
    """As ``root``."""
    return RedirectResponse("/console/", status_code=303)


@router.get(asset.PATH + "/{name}")
@public
def static(name: str) -> Response:
    """Return style or script: nothing in them is secret, and a page of refusal needs them too."""
    found = asset.content(name)
    return Response(found, headers={**_KEPT, "Content-Type": asset.KINDS[name]})


@router.get("/console/language/{chosen}")
@permission("self:identity:read")
def choose(
    chosen: Annotated[Language, Path()], back: Annotated[str, Query(pattern=_OWN, max_length=400)] = "/console/"
) -> RedirectResponse:
    """Remember a language and go back."""
    answer = RedirectResponse(back, status_code=303)
    language.remember(answer, chosen)
    return answer


@router.get("/console/keys")
@permission("self:identity:read")
def keys(request: Request, viewer: Viewing) -> HTMLResponse:
    """List the keys."""
    return _PAGES.answer(request, viewer, "keys.html", {})
