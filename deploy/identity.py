"""Endpoints that need more than one package: who am I, liveness, and the appointment of the three administrators."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from core.approval import inbox
from core.approval.acts import Acts
from core.clock import Clock
from core.database import Database
from core.duty import duty
from core.enforcement import Acting, EnforcedRoute, permission, public
from core.identity import SITE, PersonId, Principal, Serial, SubjectKind
from core.provision import ReadSession, provided
from core.registry import credential, person, role
from core.signing import Origin
from pki import revocation
from pki.issuance import CertificateAuthority
from pki.request import IssuanceRequest

router = APIRouter(route_class=EnforcedRoute, tags=["identity"])
alive = APIRouter(route_class=EnforcedRoute, tags=["identity"])


class Identity(BaseModel):
    """Whom the service takes a caller for."""

    kind: str
    id: str
    name: str
    organisation: str
    domain: str
    serial: str
    origin: str
    roles: list[str]
    waits: list[str]


class AppointmentRequest(BaseModel):
    """Appoint ``person`` to ``role`` and certify the key of ``csr`` (PEM)."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(max_length=80)
    role: str = Field(max_length=80)
    csr: str


class Appointment(BaseModel):
    """What was done: the role, and the first certificate with its chain (PEM)."""

    person: str
    role: str
    serial: str
    chain: str
    bootstrap_ended: bool


@alive.get("/livez")
@public
def live() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/api/v1/identity")
@permission("self:identity:read")
def identity(
    principal: Acting,
    session: ReadSession,
    clock: Annotated[Clock, Depends(provided(Clock))],
    origin: Annotated[Origin, Depends(provided(Origin))],
    acts: Annotated[Acts, Depends(provided(Acts))],
) -> Identity:
    """Return whom the caller is taken for."""
    held: list[str] = []
    waits: list[str] = []
    if principal.kind is SubjectKind.PERSON:
        at, who = clock.now(), PersonId(principal.identifier)
        held = sorted(f"{domain}:{name}" for domain, name in role.roles(session, who, at))
        waits = _waiting(session, acts, who, at)
    return Identity(
        kind=principal.kind.value,
        id=principal.identifier,
        name=principal.name,
        organisation=principal.organisation,
        domain=principal.domain,
        serial=principal.serial,
        origin=origin.name,
        roles=held,
        waits=waits,
    )


def _waiting(session: Session, acts: Acts, who: PersonId, at: datetime) -> list[str]:
    """Return what waits for a person, a line each: proposals to decide on or to correct, and duties."""
    proposals = [f"approval {row.id}: {row.act} {row.object}" for row in inbox.waiting_for(session, acts, who, at)]
    posts = duty.posts_of(session, who, at)
    duties = [f"duty {one.id}: {one.title}" for one in duty.waiting(session) if duty.answers(one, posts)]
    return [*proposals, *duties]


@router.post("/api/v1/role/appointment")
@permission("role:appointment:make")
def appoint(
    body: AppointmentRequest,
    principal: Acting,
    database: Annotated[Database, Depends(provided(Database))],
    authority: Annotated[CertificateAuthority, Depends(provided(CertificateAuthority))],
    clock: Annotated[Clock, Depends(provided(Clock))],
) -> Appointment:
    """Appoint one of the three administrators; the third appointment ends the bootstrap certificate."""
    who = PersonId(body.person)
    request = IssuanceRequest(
        csr=body.csr.encode(), profile="person", holder_kind=SubjectKind.PERSON, holder=body.person
    )
    # 1. Refused when it would join two of the three in one person; and whom nobody can certify is not appointed.
    with database.read() as session:
        _check_appointment(session, who, body.role, clock.now())
    authority.check(request, actor=principal.identifier)
    # 2. The appointment itself.
    with database.write() as session:
        _check_appointment(session, who, body.role, clock.now())
        role.appoint(session, person=who, role=body.role, giver=principal.identifier, at=clock.now())
    # A crash here leaves an administrator without a certificate: appointing again is idempotent and issues it.
    issued = authority.issue(request, actor=principal.identifier)
    # 3. With all three in office the bootstrap certificate has nothing left to do, and ends.
    with database.write() as session:
        ended = _end_bootstrap(session, principal, clock)
    # A crash here leaves an appointment that nobody was told: appointing again is idempotent and issues another
    # certificate. When the bootstrap certificate has ended with it, `guosuo init` makes another once its file is gone.
    return Appointment(
        person=body.person, role=body.role, serial=issued.serial, chain=issued.chain_pem, bootstrap_ended=ended
    )


def _check_appointment(session: Session, who: PersonId, office: str, at: datetime) -> None:
    person.get(session, who)
    role.check_vacant(session, office, who, at)
    role.check_separation(role.on_site(session, who, at), office, who)


def _end_bootstrap(session: Session, principal: Principal, clock: Clock) -> bool:
    at = clock.now()
    offices = {name for _person, domain, name in role.held(session, at) if domain == SITE}
    if not set(role.ADMINISTRATORS) <= offices or credential.get(session, principal.serial).state != "good":
        return False
    revocation.revoke(
        session, Serial(principal.serial), reason="cessation-of-operation", actor=principal.identifier, at=at
    )
    return True
