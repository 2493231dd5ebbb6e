"""The register over HTTP: a change of the whole file, lists, one entry, who answers, and roles."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, select

from core.clock import Clock, from_rfc3339, to_rfc3339
from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import Malformed
from core.identity import PersonId
from core.provision import ReadSession, WriteSession, provided
from core.registry import change, loader, role, summary
from core.registry.errors import NotInRegister
from core.registry.level import Classification
from core.registry.models import Organisation, Person, RoleAssignment, SecurityDomain, System

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["register"])

Time = Annotated[Clock, Depends(provided(Clock))]

Kind = Literal["organisation", "domain", "person", "system"]

Item = dict[str, str | int | bool | None]


class ChangeRequest(BaseModel):
    """A province file; with ``dry_run`` nothing is changed."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=2_000_000)
    dry_run: bool = False


class ChangeAnswer(BaseModel):
    """What was changed, or would be."""

    applied: bool
    added: list[str]
    changed: list[str]
    missing_from_file: list[str]


class EntryList(BaseModel):
    """Entries of one kind."""

    items: list[Item]


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


@router.post("/register/change")
@permission("register:change:apply")
def apply(body: ChangeRequest, session: WriteSession, principal: Acting, clock: Time) -> ChangeAnswer:
    """Apply a province file, or show what it would change."""
    province = loader.parse_province(body.text)
    with session.begin_nested() as savepoint:
        made = change.apply(session, province, actor=principal.identifier, at=clock.now())
        if body.dry_run:
            savepoint.rollback()
    return ChangeAnswer(
        applied=not body.dry_run,
        added=list(made.added),
        changed=list(made.changed),
        missing_from_file=list(made.missing),
    )


@router.get("/register/who")
@permission("register:entry:read")
def who(session: ReadSession, clock: Time, what: str, at: str = "") -> dict[str, str]:
    """Name who answers for something, as of a time."""
    return summary.find_responsible(session, what, _moment(at, clock))


@router.get("/register/{kind}")
@permission("register:entry:read")
def list_entries(kind: Kind, session: ReadSession) -> EntryList:
    """List the entries of one kind."""
    return EntryList(items=[_show(row) for row in _all(session, kind)])


@router.get("/register/{kind}/{identifier}")
@permission("register:entry:read")
def show_entry(kind: Kind, identifier: str, session: ReadSession) -> Item:
    """Show one entry."""
    row = next((row for row in _all(session, kind) if row.id == identifier), None)
    if row is None:
        raise NotInRegister(f"no {kind} `{identifier}` is in the register")
    return _show(row)


@router.post("/role/assignment")
@permission("role:assignment:make")
def assign(body: RoleRequest, session: WriteSession, principal: Acting, clock: Time) -> RoleAnswer:
    """Give a person a role."""
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
    at, who = clock.now(), PersonId(body.person)
    role.check_office(body.role, body.domain)
    role.withdraw(session, person=who, domain=body.domain, role=body.role, actor=principal.identifier, at=at)
    return _roles([row for row in role.assignments(session, at) if row.person == who])


@router.get("/role")
@permission("register:entry:read")
def list_roles(session: ReadSession, clock: Time, at: str = "") -> RoleList:
    """List every role held now, or as of a time."""
    return _roles(role.assignments(session, _moment(at, clock)))


def _roles(rows: Sequence[RoleAssignment]) -> RoleList:
    return RoleList(
        items=[
            RoleItem(person=row.person, domain=row.domain, role=row.role, since=to_rfc3339(row.since), giver=row.giver)
            for row in rows
        ]
    )


Entry = Organisation | SecurityDomain | Person | System


def _all(session: Session, kind: Kind) -> Sequence[Entry]:
    match kind:
        case "organisation":
            return session.exec(select(Organisation).order_by(Organisation.id)).all()
        case "domain":
            return session.exec(select(SecurityDomain).order_by(SecurityDomain.id)).all()
        case "person":
            return session.exec(select(Person).order_by(Person.id)).all()
        case "system":
            return session.exec(select(System).order_by(System.id)).all()


def _show(row: Entry) -> Item:
    """Return what is shown of an entry: named one by one, so that a new column is not shown by accident."""
    match row:
        case Organisation():
            return {"id": row.id, "name": row.name, "tier": row.tier, "parent": row.parent}
        case SecurityDomain():
            return {
                "id": row.id,
                "name": row.name,
                "network": row.network,
                "level": row.level,
                "ceiling": Classification(row.ceiling).marking or "公开",
                "name_space": row.name_space,
                "in_charge_post": row.in_charge_post,
                "operating_post": row.operating_post,
                "suspended": row.suspended,
            }
        case Person():
            return {
                "id": row.id,
                "name": row.name,
                "organisation": row.organisation,
                "domain": row.domain,
                "clearance": Classification(row.clearance).marking or "公开",
                "suspended": row.suspended,
            }
        case System():
            return {
                "id": row.id,
                "name": row.name,
                "domain": row.domain,
                "organisation": row.organisation,
                "in_charge_post": row.in_charge_post,
                "operating_post": row.operating_post,
            }


def _moment(at: str, clock: Clock) -> datetime:
    try:
        return from_rfc3339(at) if at else clock.now()
    except ValueError as error:
        raise Malformed(f"`{at}` is not a time with an offset (RFC 3339)") from error
