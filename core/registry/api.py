"""The register over HTTP, as of a time: lists, one entry, its history, who answers; and roles."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock, parse_given, to_rfc3339
from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import Malformed
from core.identity import PersonId
from core.provision import ReadSession, WriteSession, provided
from core.registry import change, history, role, summary, table, view
from core.registry.models import RoleAssignment

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["register"])

Time = Annotated[Clock, Depends(provided(Clock))]

Kind = Literal["organisation", "post", "domain", "person", "system", "device", "application", "element", "agreement"]


class EntryList(BaseModel):
    """Entries of one kind."""

    items: list[view.Item]


class TextAnswer(BaseModel):
    """A text file."""

    text: str


class RoleRequest(BaseModel):
    """Give ``person`` a role."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(max_length=80)
    role: str = Field(max_length=80, pattern=r"^[a-z][a-z0-9-]*$")
    domain: str = Field(default="site", max_length=80)


class RoleItem(BaseModel):
    """A role held now."""

    person: str
    domain: str
    role: str
    since: str
    giver: str


class RoleAnswer(RoleItem):
    """The role, and whether giving it was news."""

    given: bool


class RoleList(BaseModel):
    """Every role held now."""

    items: list[RoleItem]


@router.get("/register/who")
@permission("register:entry:read")
def who(session: ReadSession, clock: Time, what: str, at: str = "") -> dict[str, str]:
    """Name who answers for something, as of a time."""
    return summary.find_responsible(session, what, moment(at, clock))


@router.get("/register/history/{kind}/{identifier}")
@permission("register:entry:read")
def show_history(kind: Kind, identifier: str, session: ReadSession) -> EntryList:
    """Show every version of one entry, oldest first."""
    return EntryList(items=view.changes(session, kind, identifier))


@router.get("/register/export/{kind}")
@permission("register:entry:read")
def export(kind: Literal["person", "device"], session: ReadSession, clock: Time, at: str = "") -> TextAnswer:
    """Return the people or devices as a table (CSV)."""
    return TextAnswer(text=table.write_table(kind, history.whole(session, moment(at, clock)).of(kind)))


@router.get("/register/{kind}")
@permission("register:entry:read")
def list_entries(kind: Kind, session: ReadSession, clock: Time, at: str = "") -> EntryList:
    """List the entries of one kind, as of a time."""
    return EntryList(items=view.entries(session, kind, moment(at, clock), past=bool(at)))


@router.get("/register/{kind}/{identifier}")
@permission("register:entry:read")
def show_entry(kind: Kind, identifier: str, session: ReadSession, clock: Time, at: str = "") -> view.Item:
    """Show one entry, as of a time."""
    return view.entry(session, kind, identifier, moment(at, clock), past=bool(at))


@router.post("/role/assignment")
@permission("role:assignment:make")
def assign(body: RoleRequest, session: WriteSession, principal: Acting, clock: Time) -> RoleAnswer:
    """Give a person a role."""
    # Before the time: whoever waited looks at the register, and at the offices, as they are by then.
    change.lock(session)
    at = clock.now()
    given = role.assign(
        session, person=PersonId(body.person), domain=body.domain, role=body.role, giver=principal.identifier, at=at
    )
    return RoleAnswer(
        person=body.person,
        domain=body.domain,
        role=body.role,
        since=to_rfc3339(at),
        giver=principal.identifier,
        given=given,
    )


@router.post("/role/withdrawal")
@permission("role:assignment:make")
def withdraw(body: RoleRequest, session: WriteSession, principal: Acting, clock: Time) -> RoleList:
    """End a role that is given by one person alone, and list what the person still holds."""
    role.check_office(body.role, body.domain)
    # Before the time: what somebody decides by the role meanwhile is decided before it ends.
    role.hold_offices(session)
    at, who = clock.now(), PersonId(body.person)
    role.withdraw(session, person=who, domain=body.domain, role=body.role, actor=principal.identifier, at=at)
    return _roles([row for row in role.assignments(session, at) if row.person == who])


@router.get("/role")
@permission("register:entry:read")
def list_roles(session: ReadSession, clock: Time, at: str = "") -> RoleList:
    """List every role held now, or as of a time."""
    return _roles(role.assignments(session, moment(at, clock)))


def _roles(rows: Sequence[RoleAssignment]) -> RoleList:
    return RoleList(
        items=[
            RoleItem(person=row.person, domain=row.domain, role=row.role, since=to_rfc3339(row.since), giver=row.giver)
            for row in rows
        ]
    )


def moment(at: str, clock: Clock) -> datetime:
    """Return a time that was asked for, or now. Raises ``Malformed``."""
    try:
        return parse_given(at) if at else clock.now()
    except ValueError as error:
        raise Malformed(f"`{at[:40]}` is not a time with an offset (RFC 3339)") from error
