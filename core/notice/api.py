"""Notices over HTTP: what left and what did not, and a test of every way out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock, to_rfc3339
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission
from core.notice import outbox, trial
from core.notice.models import Notice
from core.notice.outbox import Outbox
from core.provision import ReadSession, provided

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/notice", tags=["notice"])


class NoticeItem(BaseModel):
    """One message and what became of it; neither the text is shown, nor an address, also not in ``error``."""

    id: str
    channel: str
    post: str
    count: int
    urgent: bool
    state: str
    attempts: int
    queued_at: str
    ended_at: str
    receipt: str
    error: str


class NoticeList(BaseModel):
    """Messages, the newest first; ``channels`` are the ways out that are configured."""

    items: list[NoticeItem]
    channels: list[str]


class TrialRequest(BaseModel):
    """Which post; the site's operating one when empty."""

    model_config = ConfigDict(extra="forbid")

    post: str = Field(default="", max_length=80)


class TrialItem(BaseModel):
    """What became of one way out."""

    channel: str
    message: str
    ok: bool
    said: str


class TrialList(BaseModel):
    """Every way out."""

    items: list[TrialItem]


@router.get("")
@permission("notice:message:read")
def list_notices(
    session: ReadSession,
    box: Annotated[Outbox, Depends(provided(Outbox))],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> NoticeList:
    """List messages and what became of them."""
    return NoticeList(items=[_item(row) for row in outbox.notices(session, limit=limit)], channels=list(box.channels))


@router.post("/test")
@permission("notice:channel:test")
def test(
    body: TrialRequest,
    principal: Acting,
    box: Annotated[Outbox, Depends(provided(Outbox))],
    database: Annotated[Database, Depends(provided(Database))],
    clock: Annotated[Clock, Depends(provided(Clock))],
) -> TrialList:
    """Try every way out now."""
    done = trial.run(box, database, clock, post=body.post, actor=principal.identifier)
    return TrialList(items=[TrialItem.model_validate(one, from_attributes=True) for one in done])


def _item(row: Notice) -> NoticeItem:
    plain = ("id", "channel", "post", "count", "urgent", "state", "attempts", "receipt", "error")
    return NoticeItem(
        **{name: getattr(row, name) for name in plain},
        queued_at=to_rfc3339(row.queued_at),
        ended_at=to_rfc3339(row.ended_at) if row.ended_at else "",
    )
