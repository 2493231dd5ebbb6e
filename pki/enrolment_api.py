"""One-time codes over HTTP: officers make, list and withdraw them; who holds one redeems it without a certificate."""

import secrets
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock, to_rfc3339
from core.enforcement import Acting, EnforcedRoute, permission, public
from core.identity import Serial
from core.provision import ReadSession, WriteSession, provided
from pki import csr, enrolment, onetime
from pki.enrolment import Invitation, Loss
from pki.models import EnrolmentCode
from pki.redemption import Progress, Redemption

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["certificate"])

Watch = Annotated[Clock, Depends(provided(Clock))]
Taking = Annotated[Redemption, Depends(provided(Redemption))]
Limit = Annotated[int, Query(ge=1, le=10_000)]

_DAY = int(onetime.USUAL_LIFE.total_seconds())


class CodeRequest(BaseModel):
    """For whom a code is to be, and for how many seconds it is good."""

    model_config = ConfigDict(extra="forbid")

    holder: str = Field(max_length=80)
    profile: str = Field(default="person", max_length=40)
    dns_names: list[str] = Field(default_factory=list, max_length=20)
    valid_seconds: int = Field(default=_DAY, ge=1, le=2**31 - 1)


class LossRequest(BaseModel):
    """Why the certificate is revoked (a reason of RFC 5280), and for how many seconds the new code is good.

    ``every``: all good certificates of its holder go, because more than one key was lost.
    """

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="key-compromise", max_length=40)
    every: bool = False
    valid_seconds: int = Field(default=_DAY, ge=1, le=2**31 - 1)


class CodeItem(BaseModel):
    """A code without its secret; times are RFC 3339. ``state`` is open, used, locked, withdrawn or expired."""

    id: str
    state: str
    holder: str
    profile: str
    domain: str
    dns_names: list[str]
    purpose: str
    maker: str
    made_at: str
    expires_at: str
    tries: int
    request: str


class CodeMade(CodeItem):
    """A code with its secret, shown this once."""

    code: str


class CodeList(BaseModel):
    """Codes, newest first."""

    items: list[CodeItem]


class Replacement(CodeMade):
    """A code in place of a lost key; ``revoked`` are the serial numbers that are revoked."""

    revoked: list[str]


class Showing(BaseModel):
    """A one-time code, and the certification request (PEM) that it is used for."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=onetime.LONGEST)
    csr: str = Field(max_length=csr.LARGEST)


class Ticket(BaseModel):
    """What asks how far a request is."""

    model_config = ConfigDict(extra="forbid")

    ticket: str = Field(max_length=64)


class Standing(BaseModel):
    """How far a request is; ``chain`` (PEM) is there when it is issued."""

    request: str
    state: str
    waits_for: str
    holder: str
    profile: str
    comment: str
    serial: str
    chain: str


class Taken(Standing):
    """As above, with the ticket that asks again."""

    ticket: str


@router.post("/code")
@permission("pki:code:open")
def open_(body: CodeRequest, principal: Acting, session: WriteSession, clock: Watch) -> CodeMade:
    """Make a one-time code for a person or machine of the register."""
    life, at = timedelta(seconds=body.valid_seconds), clock.now()
    asked = Invitation(body.holder, body.profile, tuple(body.dns_names), life)
    row, made = enrolment.open_code(session, asked, actor=principal.identifier, at=at, random=secrets.token_bytes)
    return CodeMade(**_item(row, at).model_dump(), code=made.text)


@router.get("/code")
@permission("pki:code:read")
def list_(session: ReadSession, clock: Watch, state: str = "", holder: str = "", limit: Limit = 1000) -> CodeList:
    """List codes, in one state or in all, of one holder or of all."""
    found = enrolment.find(session, "" if state == "expired" else state, holder, limit)
    told = [_item(row, clock.now()) for row in found]
    return CodeList(items=[one for one in told if state in ("", one.state)])


@router.post("/code/{identifier}/withdrawal")
@permission("pki:code:withdraw")
def withdraw(identifier: str, principal: Acting, session: WriteSession, clock: Watch) -> CodeItem:
    """Withdraw an open code."""
    at = clock.now()
    return _item(enrolment.withdraw(session, identifier.upper(), actor=principal.identifier, at=at), at)


@router.post("/certificate/{serial}/loss")
@permission("pki:certificate:replace")
def lose(serial: str, body: LossRequest, principal: Acting, session: WriteSession, clock: Watch) -> Replacement:
    """Revoke a certificate whose key or token is lost, and make a code for its holder, in one act."""
    at, life = clock.now(), timedelta(seconds=body.valid_seconds)
    loss = Loss(Serial(serial.lower()), body.reason, body.every, life)
    row, made, revoked = enrolment.replace_lost(
        session, loss, actor=principal.identifier, at=at, random=secrets.token_bytes
    )
    return Replacement(**_item(row, at).model_dump(), code=made.text, revoked=revoked)


@router.post("/enrolment")
@public
def redeem(body: Showing, request: Request, taking: Taking) -> Taken:
    """Use a one-time code for a request; whoever shows one needs no certificate."""
    if not taking.admits_code(request.client.host if request.client else ""):
        raise _later()
    ticket, told = taking.redeem(body.code, body.csr.encode())
    return Taken(**_told(told), ticket=ticket)


@router.post("/enrolment/progress")
@public
def progress(body: Ticket, taking: Taking) -> Standing:
    """Say how far the request of a ticket is."""
    if not taking.admits_ticket():
        raise _later()
    return Standing(**_told(taking.progress(body.ticket)))


def _told(found: Progress) -> dict[str, str]:
    return {name: getattr(found, name) for name in Standing.model_fields}


def _later() -> HTTPException:
    return HTTPException(HTTPStatus.TOO_MANY_REQUESTS, "too many at once: come back in a minute")


def _item(row: EnrolmentCode, now: datetime) -> CodeItem:
    return CodeItem(
        id=row.id,
        state="expired" if enrolment.is_over(row, now) else row.state,
        holder=row.holder,
        profile=row.profile,
        domain=row.domain,
        dns_names=enrolment.dns_names(row),
        purpose=row.purpose,
        maker=row.maker,
        made_at=to_rfc3339(row.made_at),
        expires_at=to_rfc3339(row.expires_at),
        tries=row.tries,
        request=row.request,
    )
