"""Renewal over HTTP: whoever shows a good certificate asks for the next one, for themselves."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.enforcement import Acting, EnforcedRoute, permission
from core.provision import provided
from pki import csr
from pki.renewal import Renewal

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/certificate", tags=["certificate"])


class RenewalRequest(BaseModel):
    """A certification request (PEM) over the new key; what else the certificate says stays as it is."""

    model_config = ConfigDict(extra="forbid")

    csr: str = Field(max_length=csr.LARGEST)


class RenewalAnswer(BaseModel):
    """``chain`` (PEM) when it is issued; else the request at the desk, and what it waits for: ask again with the same.

    ``comment`` is what an officer said who returned or rejected it.
    """

    state: str
    serial: str
    chain: str
    request: str
    waits_for: str
    comment: str


@router.post("/renewal")
@permission("self:certificate:renew")
def renew(
    body: RenewalRequest, principal: Acting, renewal: Annotated[Renewal, Depends(provided(Renewal))]
) -> RenewalAnswer:
    """Renew the certificate that this connection shows."""
    made = renewal.renew(body.csr.encode(), principal)
    return RenewalAnswer(
        state=made.state,
        serial=made.serial,
        chain=made.chain,
        request=made.request,
        waits_for=made.waits_for,
        comment=made.comment,
    )
