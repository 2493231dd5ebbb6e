"""The request desk as pages: the list, one request with everything an officer looks at, and what they decide."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from core.clock import Clock
from core.console.form import Form, see
from core.console.page import Pages
from core.console.viewer import Viewing
from core.enforcement import Acting, EnforcedRoute, permission
from core.provision import ReadSession, provided
from pki import desk, desk_api
from pki.console import examination, search, words

router = APIRouter(route_class=EnforcedRoute, prefix="/console/request", tags=["console"])

#: The permission of every decision at the desk.
DECIDE = "pki:request:decide"

_PAGES = Pages("pki.console")

Identifier = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
Time = Annotated[Clock, Depends(provided(Clock))]
Word = Annotated[str, Query(max_length=80)]
Number = Annotated[int, Query(ge=1, le=search.LAST)]


@router.get("")
@permission("pki:request:read")
def list_(
    request: Request,
    viewer: Viewing,
    session: ReadSession,
    state: Word = "",
    q: Word = "",
    page: Number = 1,
) -> HTMLResponse:
    """List requests, by state and by what is remembered of them."""
    state, text = state if state in words.REQUESTS else "", search.typed(q)
    found = search.requests(session, state=state, text=text, number=page)

    def asked(number: int) -> str:
        return urlencode({"state": state, "q": text, "page": number})

    values = {"found": found, "state": state, "text": text, "states": words.REQUESTS, "asked": asked}
    return _PAGES.answer(request, viewer, "requests.html", values)


@router.get("/{identifier}")
@permission("pki:request:read")
def show(
    identifier: Identifier, request: Request, viewer: Viewing, session: ReadSession, clock: Time, done: Word = ""
) -> HTMLResponse:
    """Show one request: what is asked, what the register says, the judgement, who decided and who may."""
    row = desk.get(session, identifier)
    seen = examination.examine(session, row, viewer=viewer.principal.identifier, at=clock.now())
    offered = viewer.offered([DECIDE, "pki:certificate:read"])
    values = {
        "seen": seen,
        "row": row,
        "done": done == "yes",
        "states": words.REQUESTS,
        "refusals": words.REFUSALS,
        "decides": DECIDE in offered,
        "certificates": "pki:certificate:read" in offered,
    }
    return _PAGES.answer(request, viewer, "request.html", values)


@router.post("/{identifier}/approval")
@permission(DECIDE)
def approve(identifier: Identifier, form: Form, principal: Acting, at_desk: desk_api.Desk) -> RedirectResponse:
    """Approve, as over the interface."""
    desk_api.approve(identifier, form.read(desk_api.Approval), principal, at_desk)
    return _seen(identifier)


@router.post("/{identifier}/return")
@permission(DECIDE)
def return_(identifier: Identifier, form: Form, principal: Acting, at_desk: desk_api.Desk) -> RedirectResponse:
    """Return to be corrected, as over the interface."""
    desk_api.return_(identifier, form.read(desk_api.Refusal), principal, at_desk)
    return _seen(identifier)


@router.post("/{identifier}/rejection")
@permission(DECIDE)
def reject(identifier: Identifier, form: Form, principal: Acting, at_desk: desk_api.Desk) -> RedirectResponse:
    """Reject for good, as over the interface."""
    desk_api.reject(identifier, form.read(desk_api.Refusal), principal, at_desk)
    return _seen(identifier)


def _seen(identifier: str) -> RedirectResponse:
    return see(f"/console/request/{identifier}?done=yes")
