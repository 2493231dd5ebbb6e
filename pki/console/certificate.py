"""Certificates as pages: find, show, revoke with the consequences shown before, and the receipt after."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from cryptography import x509
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ConfigDict, Field

from core.clock import Clock
from core.console.form import Form, see
from core.console.page import Pages
from core.console.viewer import Viewing
from core.enforcement import Acting, EnforcedRoute, permission
from core.identity import Serial
from core.provision import ReadSession, provided
from core.registry import credential
from core.registry.credential import CredentialState
from core.registry.holding import Holders
from pki import revocation_api
from pki.console import consequence, receipt, search, words
from pki.models import Certificate
from pki.revocation_api import RevocationRequest

router = APIRouter(route_class=EnforcedRoute, prefix="/console/certificate", tags=["console"])

REVOKE = "pki:certificate:revoke"

_PAGES = Pages("pki.console")

Number = Annotated[str, Path(pattern=r"^[0-9a-f]{40}$")]
Time = Annotated[Clock, Depends(provided(Clock))]
Word = Annotated[str, Query(max_length=80)]


class Revocation(RevocationRequest):
    """The interface's own body, and that the consequences were looked at."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=40)
    seen: Literal["yes"]


@router.get("")
@permission("pki:certificate:read")
def list_(
    request: Request,
    viewer: Viewing,
    session: ReadSession,
    state: Word = "",
    q: Word = "",
    page: Annotated[int, Query(ge=1, le=search.LAST)] = 1,
) -> HTMLResponse:
    """List certificates, by state and by what is remembered of them."""
    state, text = state if state in words.CERTIFICATES else "", search.typed(q)
    found = search.certificates(session, state=state, text=text, number=page)

    def asked(number: int) -> str:
        return urlencode({"state": state, "q": text, "page": number})

    values = {"found": found, "state": state, "text": text, "states": words.CERTIFICATES, "asked": asked}
    return _PAGES.answer(request, viewer, "certificates.html", values)


@router.get("/{serial}")
@permission("pki:certificate:read")
def show(
    serial: Number,
    request: Request,
    viewer: Viewing,
    session: ReadSession,
    clock: Time,
    holders: Annotated[Holders, Depends(provided(Holders))],
) -> HTMLResponse:
    """Show one certificate, and to whoever may revoke it what that would mean."""
    found, at = credential.get(session, Serial(serial)), clock.now()
    revokes = found.state != CredentialState.REVOKED and REVOKE in viewer.offered([REVOKE])
    der = session.get(Certificate, serial)
    values = {
        "found": found,
        "ended": found.not_after <= at,
        "read": x509.load_der_x509_certificate(der.der) if der else None,
        "hosts": _hosts(der),
        "states": words.CERTIFICATES,
        "reasons": words.REVOCATIONS,
        "kinds": words.HOLDINGS,
        "told": consequence.of(session, found, holders, viewer.principal, at) if revokes else None,
    }
    return _PAGES.answer(request, viewer, "certificate.html", values)


@router.post("/{serial}/revocation")
@permission(REVOKE)
def revoke(
    serial: Number, form: Form, principal: Acting, database: revocation_api.Store, clock: Time
) -> RedirectResponse:
    """Revoke, as over the interface; the receipt is a page of its own."""
    body = RevocationRequest(reason=form.read(Revocation).reason)
    done = revocation_api.revoke(serial, body, principal, database, clock)
    return see(f"/console/certificate/{serial}/receipt/{done.record}")


@router.get("/{serial}/receipt/{record}")
@permission(REVOKE)
def show_receipt(
    serial: Number,
    record: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
    request: Request,
    viewer: Viewing,
    session: ReadSession,
) -> HTMLResponse:
    """Show what was done, its record, and how far evidence and lists are with it."""
    found = credential.get(session, Serial(serial))
    values = {
        "found": found,
        "receipt": receipt.of(session, found, record),
        "states": words.CERTIFICATES,
        "reasons": words.REVOCATIONS,
    }
    return _PAGES.answer(request, viewer, "receipt.html", values)


def _hosts(der: Certificate | None) -> list[str]:
    if der is None:
        return []
    extensions = x509.load_der_x509_certificate(der.der).extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(one.value) for one in names]
