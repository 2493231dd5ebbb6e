"""What somebody holds, and leaving (离岗): every package is asked, and one transaction ends all of it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock
from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import Forbidden
from core.provision import ReadSession, WriteSession, provided
from core.registry import leaver
from core.registry.api import moment
from core.registry.holding import Holders
from core.registry.leaver import Item
from core.rule import TWO
from deploy import departure

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/register", tags=["register"])

Time = Annotated[Clock, Depends(provided(Clock))]
Held = Annotated[Holders, Depends(provided(Holders))]

Id = Annotated[str, Field(max_length=80)]


class HoldingItem(BaseModel):
    """One thing that is held; it ends with its holder or passes on."""

    kind: str
    identifier: str
    title: str
    domain: str
    ends: bool
    follows: str


class HoldingList(BaseModel):
    """Everything that is held at a time."""

    items: list[HoldingItem]


class LeaveRequest(BaseModel):
    """Let ``person`` leave. ``items`` name a successor each (``post:ID``); with ``dry_run`` nothing is done."""

    model_config = ConfigDict(extra="forbid")

    person: Id
    basis: str = Field(max_length=200)
    successor: Id = ""
    items: dict[str, Id] = Field(default_factory=dict, max_length=200)
    since: str = Field(default="", max_length=40)
    dry_run: bool = False


class GivenUp(BaseModel):
    """One thing that was, or would be, given up; ``successor`` is empty for what ends."""

    kind: str
    identifier: str
    title: str
    domain: str
    successor: str


class LeaveAnswer(BaseModel):
    """What was given up; ``left`` counts what the person holds after it; ``needs_two``: it has to be proposed."""

    person: str
    applied: bool
    items: list[GivenUp]
    left: int
    needs_two: bool


@router.get("/holding/{kind}/{identifier}")
@permission("register:entry:read")
def list_holdings(
    kind: str, identifier: str, session: ReadSession, holders: Held, clock: Time, *, at: str = ""
) -> HoldingList:
    """List what a person, device, domain or key holds."""
    found = holders.holdings(session, kind, identifier, moment(at, clock))
    return HoldingList(items=[HoldingItem.model_validate(one, from_attributes=True) for one in found])


@router.post("/leave")
@permission("register:person:leave")
def leave(body: LeaveRequest, session: WriteSession, principal: Acting, holders: Held, clock: Time) -> LeaveAnswer:
    """Let a person leave, or show what that would end."""
    asked = departure.parse(body.model_dump(exclude={"dry_run"}))
    if not body.dry_run:
        leaver.lock(session, asked)
    at = clock.now()
    needs_two = departure.needs_two(session, asked.person, at)
    if body.dry_run:
        return _answer(body, leaver.plan(session, holders, asked, at=at), needs_two=needs_two)
    if needs_two:
        hint = "propose it: `guosuo register leave` does, and another administrator decides"
        detail = f"`{asked.person}` is one of the three administrators: it takes two people"
        raise Forbidden(detail, hint=hint, rule=str(TWO), about=f"person:{asked.person}")
    done = leaver.leave(session, holders, asked, actor=principal.identifier, at=at)
    return _answer(body, done, needs_two=False)


def _answer(body: LeaveRequest, items: list[Item], *, needs_two: bool) -> LeaveAnswer:
    shown = [GivenUp.model_validate(one, from_attributes=True) for one in items]
    # Leaving that leaves anything is refused by ``leaver.leave``.
    rest = len(shown) if body.dry_run else 0
    return LeaveAnswer(person=body.person, applied=not body.dry_run, items=shown, left=rest, needs_two=needs_two)
