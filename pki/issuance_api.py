"""Issuing over HTTP: one certificate, or many at once."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import TrustError
from core.provision import provided
from pki.issuance import LARGEST, CertificateAuthority, Outcome
from pki.request import IssuanceRequest

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["certificate"])


#: Most characters of a request, as of a body. Where a bound is set, half a character (a lone surrogate) is refused.
_TEXT = 8 * 1024 * 1024


class IssueRequest(BaseModel):
    """A request (PEM) for a holder in the register."""

    model_config = ConfigDict(extra="forbid")

    csr: str = Field(max_length=_TEXT)
    profile: str = Field(max_length=40)
    holder: str = Field(max_length=80)
    dns_names: list[Annotated[str, Field(max_length=253)]] = Field(default_factory=list, max_length=20)
    lifetime_seconds: int | None = Field(default=None, ge=1, le=2**31 - 1)


class Issued(BaseModel):
    """A certificate with its chain (PEM)."""

    serial: str
    holder: str
    profile: str
    chain: str


class BatchRequest(BaseModel):
    """Requests that are judged one by one and issued together."""

    model_config = ConfigDict(extra="forbid")

    requests: list[IssueRequest] = Field(min_length=1, max_length=LARGEST)


class BatchItem(BaseModel):
    """What became of one request: a certificate with its chain, or ``reason``, ``detail`` and ``hint`` of a refusal.

    ``repeated``: the very same request was asked before, and this is the certificate that was issued then.
    """

    holder: str
    profile: str
    serial: str = ""
    chain: str = ""
    repeated: bool = False
    reason: str = ""
    detail: str = ""
    hint: str = ""


class BatchOutcome(BaseModel):
    """What became of each request, in their order."""

    items: list[BatchItem]


@router.post("/certificate")
@permission("pki:certificate:issue")
def issue(
    body: IssueRequest,
    principal: Acting,
    authority: Annotated[CertificateAuthority, Depends(provided(CertificateAuthority))],
) -> Issued:
    """Issue a certificate."""
    issued = authority.issue(request_of(body), actor=principal.identifier, officers=1)
    return Issued(serial=issued.serial, holder=body.holder, profile=body.profile, chain=issued.chain_pem)


@router.post("/certificate/batch")
@permission("pki:certificate:issue")
def issue_batch(
    body: BatchRequest,
    principal: Acting,
    authority: Annotated[CertificateAuthority, Depends(provided(CertificateAuthority))],
) -> BatchOutcome:
    """Issue many certificates at once; each request has its own outcome, and one asked again is not issued twice."""
    outcomes = authority.issue_batch([request_of(one) for one in body.requests], actor=principal.identifier, officers=1)
    return BatchOutcome(items=[_outcome(*pair) for pair in zip(body.requests, outcomes, strict=True)])


def request_of(body: IssueRequest) -> IssuanceRequest:
    """Return what a body asks for; what kind of holder it is for says the profile."""
    return IssuanceRequest(
        csr=body.csr.encode(),
        profile=body.profile,
        holder_kind=None,
        holder=body.holder,
        dns_names=tuple(body.dns_names),
        lifetime_seconds=body.lifetime_seconds,
    )


def _outcome(asked: IssueRequest, made: Outcome) -> BatchItem:
    about = {"holder": asked.holder, "profile": asked.profile}
    if isinstance(made, TrustError):
        return BatchItem(**about, reason=made.word, detail=made.detail, hint=made.hint)
    return BatchItem(**about, serial=made.serial, chain=made.chain_pem, repeated=made.repeated)
