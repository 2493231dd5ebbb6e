"""Recovery points over HTTP: make one, list them. Restoring needs no service, and none can do it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from backup import run
from backup.models import RecoveryPoint
from backup.repository import Repository
from backup.run import Backup
from core.clock import to_rfc3339
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import Unavailable
from core.ledger.publication import await_publication
from core.provision import ReadSession, provided

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/backup", tags=["backup"])


class PointRequest(BaseModel):
    """Nothing is chosen: a point is always the whole site."""

    model_config = ConfigDict(extra="forbid")


class PointItem(BaseModel):
    """A recovery point; ``proven`` only when a drill over exactly this file was passed."""

    id: str
    at: str
    state: str
    proven: bool
    ledger_size: int
    size: int
    actor: str
    cause: str


class MadePoint(PointItem):
    """A point just made; ``published`` when its record is signed for and mirrored: from then on it can be restored."""

    published: bool


class PointList(BaseModel):
    """Recovery points, the newest first."""

    items: list[PointItem]


@router.post("/point")
@permission("backup:point:create")
def make(
    body: PointRequest,  # noqa: ARG001  # refuses what it does not know
    principal: Acting,
    backup: Annotated[Backup, Depends(provided(Backup))],
    database: Annotated[Database, Depends(provided(Database))],
) -> MadePoint:
    """Make a recovery point."""
    made = backup.make(actor=principal.identifier)
    item = _item(made, backup.repository)
    return MadePoint(**item.model_dump(), published=_published(database, made))


@router.get("/point")
@permission("backup:point:read")
def list_points(session: ReadSession, backup: Annotated[Backup, Depends(provided(Backup))]) -> PointList:
    """List recovery points."""
    return PointList(items=[_item(row, backup.repository) for row in run.points(session)])


def _published(database: Database, point: RecoveryPoint) -> bool:
    try:
        await_publication(database, point.record, timeout=3.0)
    except Unavailable:
        return False
    return True


def _item(row: RecoveryPoint, repository: Repository) -> PointItem:
    return PointItem(
        id=row.id,
        at=to_rfc3339(row.at),
        state=row.state,
        proven=row.state == "sealed" and repository.is_proven(row.id, row.sha256),
        ledger_size=row.ledger_size,
        size=row.size,
        actor=row.actor,
        cause=row.cause,
    )
