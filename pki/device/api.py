"""What officers do about machines that ask by themselves: initial secrets, made, listed, withdrawn."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock, to_rfc3339
from core.enforcement import Acting, EnforcedRoute, permission
from core.provision import ReadSession, WriteSession, provided
from pki.device import secret
from pki.device.models import DeviceSecret
from pki.device.secret import Agreed

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/device/secret", tags=["enrolment"])

#: Hours that a secret may be used when nobody says otherwise.
_HOURS = 72


@dataclass(frozen=True, slots=True)
class SecretMaker:
    """What making takes: ``installation`` returns what secrets follow from; where machines then ask."""

    clock: Clock
    random: Callable[[int], bytes]
    installation: Callable[[], bytes]
    est_url: str
    cmp_url: str


class SecretRequest(BaseModel):
    """For which machine (or a system with one application), with which names in its certificate, for how long."""

    model_config = ConfigDict(extra="forbid")

    holder: str = Field(max_length=80)
    dns_names: list[str] = Field(default_factory=list, max_length=20)
    addresses: list[str] = Field(default_factory=list, max_length=20)
    hours: int = Field(default=_HOURS, ge=1, le=720)


class SecretItem(BaseModel):
    """A secret as everybody may see it; times are RFC 3339."""

    id: str
    holder: str
    domain: str
    dns_names: list[str]
    addresses: list[str]
    state: str
    made_by: str
    ends_at: str


class MadeSecret(SecretItem):
    """A new secret, shown this once, and where the machine uses it."""

    secret: str
    est: str
    cmp: str


class SecretList(BaseModel):
    """Secrets, oldest first."""

    items: list[SecretItem]


Maker = Annotated[SecretMaker, Depends(provided(SecretMaker))]


@router.post("")
@permission("pki:enrolment:make")
def make(body: SecretRequest, principal: Acting, maker: Maker, session: WriteSession) -> MadeSecret:
    """Make a secret with which a machine gets its first certificate, once."""
    agreed = Agreed(tuple(body.dns_names), tuple(body.addresses), timedelta(hours=body.hours))
    holder, at = secret.find_holder(session, body.holder), maker.clock.now()
    row = secret.make(session, holder, agreed, actor=principal.identifier, at=at, random=maker.random)
    shown = secret.value_of(row, maker.installation())
    return MadeSecret(**_item(row).model_dump(), secret=shown, est=maker.est_url, cmp=maker.cmp_url)


@router.get("")
@permission("pki:enrolment:read")
def list_(session: ReadSession, holder: str = "") -> SecretList:
    """List secrets, of one machine or all."""
    return SecretList(items=[_item(row) for row in secret.listed(session, holder)])


@router.post("/{identifier}/withdrawal")
@permission("pki:enrolment:end")
def withdraw(identifier: str, principal: Acting, maker: Maker, session: WriteSession) -> SecretItem:
    """Withdraw a secret that was not used yet."""
    return _item(secret.withdraw(session, identifier, actor=principal.identifier, at=maker.clock.now()))


def _item(row: DeviceSecret) -> SecretItem:
    hosts, addresses = secret.names_of(row)
    return SecretItem(
        id=row.id,
        holder=row.holder,
        domain=row.domain,
        dns_names=list(hosts),
        addresses=list(addresses),
        state=row.state,
        made_by=row.actor,
        ends_at=to_rfc3339(row.ends_at),
    )
