"""Custody of the evidence over HTTP: where something came from, bodies, legal holds, and what a purge would take."""

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from sqlmodel import col, func, select

from core.clock import Clock, Given, as_recorded, to_rfc3339
from core.enforcement import Acting, EnforcedRoute, permission
from core.ledger import body as bodies
from core.ledger import evidence, hold, selection
from core.ledger import trace as tracing
from core.ledger.body import BODY_DISCLOSED
from core.ledger.entry import Event
from core.ledger.errors import BodyErased, NoBody, UnknownRecord
from core.ledger.hold import Kind
from core.ledger.models import EvidenceHold, EvidenceRow
from core.ledger.register import Register
from core.ledger.retention import Retention
from core.ledger.selection import Asked
from core.ledger.trace import Step, Thing, Trace
from core.provision import ReadSession, WriteSession, provided

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/evidence", tags=["evidence"])

Time = Annotated[Clock, Depends(provided(Clock))]
Known = Annotated[Register, Depends(provided(Register))]
Numbers = Annotated[Retention, Depends(provided(Retention))]
Identifier = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]

_TEXT = r"^[^\x00-\x1f]*$"


class StepShown(BaseModel):
    """One record of a trace."""

    number: int | None
    at: str
    type: str
    actor: str
    object: str
    domain: str
    result: str


class ThingShown(BaseModel):
    """One thing of a trace with its records and what they name."""

    name: str
    said: list[str]
    records: list[StepShown]
    more: int
    unresolved: str
    things: list["ThingShown"]


class TraceShown(BaseModel):
    """What led there: the tree, all its records in the order of time, what nothing tells of, what was left out."""

    tree: ThingShown
    records: list[StepShown]
    unresolved: list[str]
    left_out: list[str]


class BodyShown(BaseModel):
    """A body with its salt: SHA-256 over salt and canonical JSON is the commitment in the record."""

    record: str
    salt: str
    body: dict[str, JsonValue]


class HoldRequest(BaseModel):
    """What to hold, why, and until when."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    value: str = Field(max_length=200)
    reason: str = Field(max_length=2_000)
    until: Given


class HoldShown(BaseModel):
    """A legal hold; ``reason`` is empty once it was erased."""

    id: str
    kind: str
    value: str
    reason: str
    until: str
    placed_by: str
    placed_at: str
    released_by: str
    released_at: str
    active: bool


class HoldList(BaseModel):
    """Holds, newest first; ``total`` counts those before and after these, too."""

    items: list[HoldShown]
    total: int


class PurgeQuery(BaseModel):
    """What is to be purged: records made before a time, of one domain or about one object where those are given."""

    model_config = ConfigDict(extra="forbid")

    before: Given
    domain: str = Field(default="", max_length=80, pattern=_TEXT)
    object: str = Field(default="", max_length=200, pattern=_TEXT)


class PurgePreview(BaseModel):
    """What would go and why the rest stays; ``proposal`` is the body of the act ``evidence.purge``."""

    count: int
    first: int | None
    last: int | None
    types: dict[str, int]
    stays: dict[str, int]
    proposal: dict[str, JsonValue]


@router.get("/trace")
@permission("evidence:record:read")
def trace(
    what: Annotated[str, Query(min_length=1, max_length=200, pattern=_TEXT)],
    session: ReadSession,
    register: Known,
    clock: Time,
    as_of: Annotated[Given | None, Query()] = None,
) -> TraceShown:
    """Go from a thing back to everything that led there and who answered for it, as known ``as_of`` a time."""
    return _trace(tracing.trace(session, register, what, at=as_of or clock.now()))


@router.get("/purge")
@permission("evidence:record:read")
def preview_purge(
    asked: Annotated[PurgeQuery, Query()], session: ReadSession, register: Known, retention: Numbers, clock: Time
) -> PurgePreview:
    """Show what a purge would take. Nothing is changed; the purge itself is an act of two people."""
    # As the proposal prints them, so that a record within the same millisecond is not on another side then.
    before, as_of = as_recorded(asked.before), as_recorded(clock.now())
    by = selection.rule(session, register, retention, as_of)
    found = selection.select_records(session, Asked(before, asked.domain, asked.object), by)
    proposal: dict[str, JsonValue] = {
        "before": to_rfc3339(before),
        "as_of": to_rfc3339(as_of),
        "domain": asked.domain,
        "object": asked.object,
        "through": found.through,
        "count": found.count,
        "ranges": found.digest,
    }
    return PurgePreview(
        count=found.count,
        first=found.ranges[0][0] if found.ranges else None,
        last=found.ranges[-1][1] if found.ranges else None,
        types=dict(found.types.most_common()),
        stays=dict(found.stays.most_common()),
        proposal=proposal,
    )


@router.get("/hold")
@permission("evidence:hold:read")
def list_holds(
    session: ReadSession,
    clock: Time,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
) -> HoldList:
    """List legal holds, those that are over too, from the ``offset``-th on."""
    now = clock.now()
    ordered = select(EvidenceHold).order_by(col(EvidenceHold.placed_at).desc(), EvidenceHold.id)
    rows = session.exec(ordered.offset(offset).limit(limit)).all()
    total = session.exec(select(func.count()).select_from(EvidenceHold)).one()
    return HoldList(items=[_hold(row, _reason(session, row.id), now) for row in rows], total=total)


@router.post("/hold", status_code=201)
@permission("evidence:hold:place")
def place_hold(request: HoldRequest, principal: Acting, session: WriteSession, clock: Time) -> HoldShown:
    """Keep records from being purged and bodies from being erased, for a reason and until a time."""
    now = clock.now()
    row = hold.place(
        session,
        kind=request.kind,
        value=request.value,
        reason=request.reason,
        until=request.until,
        actor=principal.identifier,
        at=now,
    )
    return _hold(row, request.reason, now)


@router.post("/hold/{identifier}/release")
@permission("evidence:hold:release")
def release_hold(identifier: Identifier, principal: Acting, session: WriteSession, clock: Time) -> HoldShown:
    """End a hold before its time."""
    now = clock.now()
    row = hold.release(session, identifier, actor=principal.identifier, at=now)
    return _hold(row, _reason(session, row.id), now)


@router.get("/body/{identifier}")
@permission("evidence:body:read")
def read_body(identifier: Identifier, principal: Acting, session: WriteSession, clock: Time) -> BodyShown:
    """Disclose what is personal or classified about a record, with the salt that proves it; on record before it is."""
    shown = bodies.disclose(session, identifier)
    domain = session.exec(select(EvidenceRow.domain).where(EvidenceRow.identifier == identifier)).one()
    event = Event(BODY_DISCLOSED, principal.identifier, f"record:{identifier}", domain, details={"record": identifier})
    evidence.append(session, event, at=clock.now())
    return BodyShown(record=identifier, salt=shown.salt.hex(), body=json.loads(shown.content))


def _reason(session: ReadSession, record: str) -> str:
    try:
        return str(bodies.read(session, record).get("reason", ""))
    except (NoBody, BodyErased):
        return ""


def _hold(row: EvidenceHold, reason: str, now: datetime) -> HoldShown:
    return HoldShown(
        id=row.id,
        kind=row.kind,
        value=row.value,
        reason=reason,
        until=to_rfc3339(row.until),
        placed_by=row.placed_by,
        placed_at=to_rfc3339(row.placed_at),
        released_by=row.released_by,
        released_at="" if row.released_at is None else to_rfc3339(row.released_at),
        active=row.released_at is None and row.until > now,
    )


def _trace(found: Trace) -> TraceShown:
    if found.root.unresolved and not found.steps:
        raise UnknownRecord(f"evidence knows nothing of `{found.root.name}`: {found.root.unresolved}")
    return TraceShown(
        tree=_thing(found.root),
        records=[_step(one) for one in found.steps],
        unresolved=list(found.unresolved),
        left_out=list(found.left_out),
    )


def _thing(thing: Thing) -> ThingShown:
    return ThingShown(
        name=thing.name,
        said=thing.said,
        records=[_step(one) for one in thing.steps],
        more=thing.more,
        unresolved=thing.unresolved,
        things=[_thing(one) for one in thing.things],
    )


def _step(step: Step) -> StepShown:
    return StepShown(
        number=step.number,
        at=to_rfc3339(step.at),
        type=step.type,
        actor=step.actor,
        object=step.object,
        domain=step.domain,
        result=step.result,
    )
