"""The registration desk over HTTP: file, correct, look, decide."""

import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.clock import to_rfc3339
from core.enforcement import Acting, EnforcedRoute, permission
from core.identity import Principal
from core.provision import ReadSession, provided
from pki import csr, desk, deskofficer
from pki.desk import RequestDesk
from pki.deskofficer import Officer
from pki.issuance_api import IssueRequest, request_of
from pki.models import DeskRequest

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/request", tags=["certificate"])


class RequestItem(BaseModel):
    """One request and where it stands; ``waits_for`` says in words what is next. Times are RFC 3339."""

    id: str
    state: str
    waits_for: str
    requester: str
    holder: str
    profile: str
    domain: str
    dns_names: list[str]
    revision: int
    needed: int
    approved_by: list[str]
    comment: str
    serial: str
    filed_at: str
    code: str
    renews: str


class RequestDetail(RequestItem):
    """One request with itself (PEM), and the digest by which the intention of its certificate names it.

    ``key_sha256`` is the SHA-256 of its SubjectPublicKeyInfo: whoever made the key sees the same, and can say so.
    """

    csr: str
    digest: str
    key_sha256: str


class RequestList(BaseModel):
    """Requests, newest first."""

    items: list[RequestItem]


#: Of the request as it was shown: what was corrected since then is not decided on.
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Approval(BaseModel):
    """The digest of what is approved, and a word with it, if there is one."""

    model_config = ConfigDict(extra="forbid")

    digest: Digest
    comment: str = Field(default="", max_length=1000)


class Refusal(BaseModel):
    """The digest of what is returned or rejected, and why."""

    model_config = ConfigDict(extra="forbid")

    digest: Digest
    comment: str = Field(min_length=1, max_length=1000)


Desk = Annotated[RequestDesk, Depends(provided(RequestDesk))]

Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.post("")
@permission("pki:request:file")
def file(body: IssueRequest, principal: Acting, at_desk: Desk) -> RequestItem:
    """File a request; one that could never be issued is refused at once."""
    return _item(at_desk.file(request_of(body), actor=principal.identifier))


@router.get("")
@permission("pki:request:read")
def list_(session: ReadSession, state: str = "", limit: Limit = 1000) -> RequestList:
    """List requests, in one state or in all."""
    return RequestList(items=[_item(row) for row in desk.find(session, state, limit)])


@router.get("/{identifier}")
@permission("pki:request:read")
def show(identifier: str, session: ReadSession) -> RequestDetail:
    """Show one request."""
    row = desk.get(session, identifier)
    key = hashlib.sha256(csr.parse_request(row.csr.encode("ascii")).spki).hexdigest()
    return RequestDetail(**_item(row).model_dump(), csr=row.csr, digest=row.digest, key_sha256=key)


@router.post("/{identifier}/correction")
@permission("pki:request:file")
def correct(identifier: str, body: IssueRequest, principal: Acting, at_desk: Desk) -> RequestItem:
    """File a returned request once more, corrected."""
    return _item(at_desk.correct(identifier, request_of(body), actor=principal.identifier))


@router.post("/{identifier}/approval")
@permission("pki:request:decide")
def approve(identifier: str, body: Approval, principal: Acting, at_desk: Desk) -> RequestItem:
    """Approve a request; the last approval that is needed issues it."""
    return _item(at_desk.approve(identifier, digest=body.digest, comment=body.comment, officer=_officer(principal)))


@router.post("/{identifier}/return")
@permission("pki:request:decide")
def return_(identifier: str, body: Refusal, principal: Acting, at_desk: Desk) -> RequestItem:
    """Return a request to be corrected."""
    return _item(at_desk.return_(identifier, digest=body.digest, comment=body.comment, officer=_officer(principal)))


@router.post("/{identifier}/rejection")
@permission("pki:request:decide")
def reject(identifier: str, body: Refusal, principal: Acting, at_desk: Desk) -> RequestItem:
    """Reject a request for good."""
    return _item(at_desk.reject(identifier, digest=body.digest, comment=body.comment, officer=_officer(principal)))


def _officer(principal: Principal) -> Officer:
    return Officer(principal.identifier, principal.serial)


def _item(row: DeskRequest) -> RequestItem:
    return RequestItem(
        id=row.id,
        state=row.state,
        waits_for=desk.NEXT.get(row.state, ""),
        requester=row.requester,
        holder=row.holder,
        profile=row.profile,
        domain=row.domain,
        dns_names=list(json.loads(row.dns_names)),
        revision=row.revision,
        needed=row.needed,
        approved_by=[one.person for one in deskofficer.read(row.approved_by)],
        comment=row.comment,
        serial=row.serial,
        filed_at=to_rfc3339(row.filed_at),
        code=row.code,
        renews=row.renews,
    )
