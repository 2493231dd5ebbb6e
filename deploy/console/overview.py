"""The first page: what is red, what lapses next, and what is mine; each part by the permission of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from core.approval import inbox
from core.approval.acts import Acts
from core.approval.models import Approval
from core.clock import Clock
from core.console.page import Pages
from core.console.viewer import Viewer, Viewing
from core.database import Database
from core.duty import status, survey
from core.duty.status import Standing
from core.enforcement import EnforcedRoute, permission
from core.identity import PersonId, SubjectKind
from core.provision import provided
from core.registry import role
from core.registry.credential import Credential
from deploy.console.health import Health
from deploy.doctor import Finding
from pki.console import mine, words
from pki.console.desk import DECIDE
from pki.models import DeskRequest

router = APIRouter(route_class=EnforcedRoute, tags=["console"])

_PAGES = Pages("deploy.console")

Part = TypeVar("Part")

#: Rows of one part; beyond that the page of the thing itself is to be looked at.
MOST = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal of two people that waits for the viewer."""

    row: Approval
    chinese: str
    english: str


@dataclass(frozen=True, slots=True)
class Mine:
    """What is the viewer's; a part that they may not see is missing."""

    certificates: Sequence[Credential] = ()
    roles: Sequence[str] = ()
    duties: Standing | None = None
    proposals: Sequence[Waiting] | None = None
    decidable: Sequence[DeskRequest] | None = None
    returned: Sequence[DeskRequest] = ()


@dataclass(frozen=True, slots=True)
class Everybody:
    """What is red and lapses next for all; ``held`` is who holds each post."""

    standing: Standing
    health: Sequence[Finding]
    held: dict[str, str] = field(default_factory=dict)


@router.get("/console/")
@permission("self:identity:read")
def overview(
    request: Request,
    viewer: Viewing,
    database: Annotated[Database, Depends(provided(Database))],
    clock: Annotated[Clock, Depends(provided(Clock))],
    acts: Annotated[Acts, Depends(provided(Acts))],
    health: Annotated[Health, Depends(provided(Health))],
) -> HTMLResponse:
    """Show how things stand."""
    now = clock.now()
    # Decided before anything is read: a decision writes, and nothing writes while a session of this request is open.
    reads = _reading(viewer)
    with database.read() as session:
        own = _mine(session, viewer, reads, acts, now)
        standing = status.standing(session, now) if "duty:entry:read" in reads else None
        held = survey.holders(session, now) if standing else {}
    everybody = Everybody(standing, health.red(), held) if standing else None
    values = {
        "mine": own,
        "all": everybody,
        "now": now,
        "near": now + mine.NEAR,
        "most": MOST,
        "states": words.REQUESTS,
        "lists_certificates": "pki:certificate:read" in viewer.offered(["pki:certificate:read"]),
    }
    return _PAGES.answer(request, viewer, "overview.html", values)


def _reading(viewer: Viewer) -> frozenset[str]:
    """Return the permissions by which parts of the page are shown, each decided and on record."""
    asked = ["self:duty:read", "duty:entry:read", "approval:proposal:read", "pki:request:read"]
    return frozenset(one for one in asked if viewer.reads(one))


def _mine(session: Session, viewer: Viewer, reads: frozenset[str], acts: Acts, now: datetime) -> Mine:
    who = viewer.principal.identifier
    certificates = mine.certificates(session, viewer.principal, now)
    if viewer.principal.kind is not SubjectKind.PERSON:
        return Mine(certificates)
    person = PersonId(who)
    decides = "pki:request:read" in reads and DECIDE in viewer.offered([DECIDE])
    return Mine(
        certificates=certificates,
        roles=sorted(f"{name} · {domain}" for domain, name in role.roles(session, person, now)),
        duties=_if("self:duty:read" in reads, lambda: status.standing(session, now, person=who)),
        proposals=_if("approval:proposal:read" in reads, lambda: _proposals(session, acts, person, now)),
        decidable=_if(decides, lambda: mine.decidable(session, who)),
        returned=mine.returned(session, who) if "pki:request:read" in reads else (),
    )


def _if(shown: bool, look: Callable[[], Part]) -> Part | None:
    return look() if shown else None


def _proposals(session: Session, acts: Acts, who: PersonId, now: datetime) -> list[Waiting]:
    rows = inbox.waiting_for(session, acts, who, now)
    titles = [acts.get(row.act)[0].title for row in rows]
    return [Waiting(row, title.zh, title.en) for row, title in zip(rows, titles, strict=True)]
