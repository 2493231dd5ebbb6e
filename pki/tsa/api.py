"""Time stamps over HTTP: requests by anybody, in the clear (RFC 3161, 3.4), and how the authority stands."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, HTTPException, Request, Response
from pydantic import BaseModel
from sqlmodel import col, func, select

from core.clock import to_rfc3339
from core.enforcement import EnforcedRoute, permission, public
from core.ledger.timestamp import QUERY, REPLY
from core.provision import ReadSession, provided
from pki.settings import PkiSettings
from pki.tsa.admission import Admission
from pki.tsa.authority import TimeStampAuthority
from pki.tsa.models import StampState, TimeStamp
from pki.tsa.renewal import Renewal
from pki.tsa.settings import TsaSettings

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/tsa", tags=["time stamp"])

#: Public by protocol: whoever has something to be stamped shows its hash and nothing else.
submission = APIRouter(route_class=EnforcedRoute, tags=["time stamp"])

Ours = Annotated[TimeStampAuthority, Depends(provided(TimeStampAuthority))]


class TsaStatus(BaseModel):
    """How the authority stands; ``trouble`` is empty when it gives tokens. Times are RFC 3339.

    ``certificate`` is the serial number of its certificate, ``key_until`` when the next generation takes over.
    ``granted`` counts tokens, ``open`` those that were intended and never handed out.
    """

    url: str
    policy: str
    accuracy_ms: int
    synchronised: bool
    generation: str
    certificate: str
    not_after: str
    key_until: str
    clock: str
    newest: str
    granted: int
    open: int
    trouble: str


@submission.post("/tsa")
@public
def stamp(
    request: Request,
    ours: Ours,
    admission: Annotated[Admission, Depends(provided(Admission))],
    content: Annotated[bytes, Body(media_type=QUERY)] = b"",
) -> Response:
    """Answer a TimeStampReq (RFC 3161, 3.4): always a TimeStampResp, with a token or with the reason for none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != QUERY:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a request has the media type {QUERY}")
    if not admission.admits(request.client.host if request.client else ""):
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, "too many time stamps were asked for: come back in a minute")
    return Response(ours.respond(content), media_type=REPLY)


Names = Annotated[PkiSettings, Depends(provided(PkiSettings))]
Rules = Annotated[TsaSettings, Depends(provided(TsaSettings))]


@router.get("")
@permission("pki:tsa:read")
def status(session: ReadSession, ours: Ours, names: Names, settings: Rules) -> TsaStatus:
    """Say how the time-stamp authority stands."""
    return _status(session, ours, names, settings)


@router.post("/renew")
@permission("pki:tsa:renew")
def renew(
    session: ReadSession,
    ours: Ours,
    names: Names,
    settings: Rules,
    renewal: Annotated[Renewal, Depends(provided(Renewal))],
) -> TsaStatus:
    """Make the next generation now, with a key of its own; tokens that were given stay good."""
    renewal.run(force=True)
    return _status(session, ours, names, settings)


def _status(session: ReadSession, ours: TimeStampAuthority, names: PkiSettings, settings: TsaSettings) -> TsaStatus:
    standing = ours.standing()
    certificate = standing.generation.certificate
    return TsaStatus(
        url=f"{names.public_url}/tsa",
        policy=settings.policy,
        accuracy_ms=settings.accuracy_ms,
        synchronised=settings.synchronised,
        generation=standing.generation.name,
        certificate=f"{certificate.serial_number:040x}",
        not_after=to_rfc3339(certificate.not_valid_after_utc),
        key_until=to_rfc3339(standing.generation.until),
        clock=to_rfc3339(standing.now),
        newest=to_rfc3339(standing.newest) if standing.newest else "",
        granted=_count(session, StampState.GRANTED),
        open=_count(session, StampState.OPEN),
        trouble=standing.trouble,
    )


def _count(session: ReadSession, state: StampState) -> int:
    counted = select(func.count(col(TimeStamp.serial))).where(TimeStamp.state == state.value)
    return session.exec(counted).one()
