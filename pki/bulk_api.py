"""Revoke many over HTTP: plan first, then order exactly what the plan showed; how far it is may be asked."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import NotFound
from core.provision import ReadSession, provided
from core.rule import TWO
from pki import bulk
from pki.errors import NeedsTwo
from pki.models import BulkRevocation

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/revocation", tags=["certificate"])

Store = Annotated[Database, Depends(provided(Database))]
Watch = Annotated[Clock, Depends(provided(Clock))]


class PlanRequest(BaseModel):
    """Which certificates (all that is given must hold), and why: a reason of RFC 5280."""

    model_config = ConfigDict(extra="forbid")

    serials: list[str] | None = Field(default=None, max_length=bulk.MOST)
    key: str = Field(default="", max_length=64)
    department: str = Field(default="", max_length=80)
    domain: str = Field(default="", max_length=80)
    profile: str = Field(default="", max_length=40)
    reason: str = Field(default="unspecified", max_length=40)


class OrderRequest(BaseModel):
    """The digest of the plan that was looked at, and its reason."""

    model_config = ConfigDict(extra="forbid")

    digest: str = Field(min_length=64, max_length=64)
    reason: str = Field(default="unspecified", max_length=40)


class PlanAnswer(BaseModel):
    """What revoking would do now; nothing was done. ``digest`` is what an order names, while the plan is kept."""

    count: int
    digest: str
    needs_two: bool
    consequences: list[str]


class OrderAnswer(BaseModel):
    """How far an order is: ``state`` is planned, open or done; ``skipped`` were revoked by somebody else meanwhile."""

    id: str
    state: str
    reason: str
    total: int
    done: int
    skipped: int


@router.post("/plan")
@permission("pki:certificate:revoke")
def plan(body: PlanRequest, principal: Acting, database: Store, clock: Watch) -> PlanAnswer:
    """Say what revoking would do, and keep it for whoever orders or proposes it."""
    choice, word = bulk.parse(body.model_dump(exclude_none=True))
    with database.write() as session:
        planned = bulk.plan(session, choice, word, clock.now())
        bulk.keep(session, planned, word, actor=principal.identifier, at=clock.now())
    # A crash here leaves a plan that nobody was shown: it lapses.
    count = len(planned.serials)
    needs_two = count > bulk.ALONE
    return PlanAnswer(count=count, digest=planned.digest, needs_two=needs_two, consequences=list(planned.told))


@router.post("")
@permission("pki:certificate:revoke")
def order(body: OrderRequest, principal: Acting, database: Store, clock: Watch) -> OrderAnswer:
    """Revoke what a plan showed, as far as one person may. Ordering it again tells how it stands."""
    with database.write() as session:
        made = session.get(BulkRevocation, body.digest, with_for_update=True)
        if made is None or made.state == bulk.PLANNED:
            planned = bulk.kept(session, body.digest, body.reason, clock.now())
            if len(planned.serials) > bulk.ALONE:
                detail = f"{len(planned.serials)} certificates at once take two people"
                raise NeedsTwo(detail, hint="propose it: `guosuo cert revoke` does", rule=str(TWO))
            made = bulk.order(session, planned, body.reason, actor=principal.identifier, at=clock.now())
    # A crash here leaves an order that nobody was told: the job carries it out.
    with database.write() as session:
        made = bulk.step(session, made.id, clock.now())
    # A crash here leaves revocations that are in force and on no list yet: the job publishes them.
    return _answer(made)


@router.get("/{identifier}")
@permission("pki:certificate:read")
def show(identifier: str, session: ReadSession) -> OrderAnswer:
    """Tell how far an order is."""
    made = session.get(BulkRevocation, identifier)
    if made is None:
        raise NotFound(f"no order has the digest `{identifier[:64]}`")
    return _answer(made)


def _answer(made: BulkRevocation) -> OrderAnswer:
    return OrderAnswer(
        id=made.id, state=made.state, reason=made.reason, total=made.total, done=made.done, skipped=made.skipped
    )
