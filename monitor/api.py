"""HTTP interface of the border: sensors report and fetch their plan, people read alerts and blind windows."""

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select

from core.clock import Clock
from core.enforcement import Acting, EnforcedRoute, permission
from core.identity import Principal
from core.provision import ReadSession, WriteSession, provided
from core.registry.level import Classification
from monitor import coverage, finding, plan
from monitor.errors import SensorMismatch
from monitor.finding import Outcome
from monitor.models import Finding
from monitor.sighting import Leak, Moment, Plan, Sighting, Word

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["monitor"])


class SightingBatch(BaseModel):
    """What a sensor reports; an empty batch says that it is there."""

    model_config = ConfigDict(extra="forbid")

    sightings: list[Sighting] = Field(max_length=500)


class Receipt(BaseModel):
    """What became of each sighting, by id. All of it is committed; none need be sent again."""

    outcomes: dict[str, Outcome]


class OfficerView(BaseModel):
    """Who answered for it at that time: post, person's id, name."""

    post: str
    person: str
    name: str


class Candidate(BaseModel):
    """A request that the leak may belong to."""

    request_id: str
    serial: str
    person: str
    name: str
    organisation: str
    application: str
    address: str
    at: datetime


class AlertView(BaseModel):
    """One alert; ``summary`` is the line for people."""

    id: str
    at: datetime
    summary: str
    marking: str
    level: str
    ceiling: str
    domain: str
    malformed: bool
    exceeds_legal_maximum: bool
    confirmed: bool
    encoding: str
    state: str
    explanation: str
    request_id: str
    serial: str
    person: str
    person_name: str
    organisation: str
    organisation_name: str
    system: str
    application: str
    in_charge: OfficerView
    operating: OfficerView
    candidates: list[Candidate]
    sensor: str
    rule: int
    policy: str
    source: str
    source_port: int
    destination: str
    destination_port: int
    host: str
    path: str
    first: datetime
    last: datetime
    received: datetime
    count: int


class AlertPage(BaseModel):
    """Alerts, newest first."""

    items: list[AlertView]


class SensorView(BaseModel):
    """A sensor; ``blind`` while a window is open."""

    name: str
    first_heard: datetime
    last_heard: datetime
    blind: bool


class SensorPage(BaseModel):
    """Sensors by name."""

    items: list[SensorView]


class WindowView(BaseModel):
    """A time that was not monitored; still so when ``until`` is empty."""

    id: str
    sensor: str
    since: datetime
    until: datetime | None
    cause: str
    dropped: int


class WindowPage(BaseModel):
    """Windows, the latest first."""

    items: list[WindowView]


class AlertFilter(BaseModel):
    """What to list; empty means all."""

    model_config = ConfigDict(extra="forbid")

    domain: Word = ""
    person: Word = ""
    request_id: Word = ""
    serial: Word = ""
    state: Word = ""
    since: Moment | None = None
    limit: int = Field(default=200, ge=1, le=1000)


@router.post("/sighting")
@permission("monitor:finding:report")
def report(
    batch: SightingBatch,
    session: WriteSession,
    acting: Acting,
    clock: Annotated[Clock, Depends(provided(Clock))],
) -> Receipt:
    """Enter sightings. Reporting one again changes nothing; a sensor speaks only for itself."""
    check_own(acting, batch)
    now = clock.now()
    coverage.hear(session, acting.identifier, now=now)
    outcomes = {}
    for sighting in batch.sightings:
        if isinstance(sighting, Leak):
            outcomes[sighting.id] = finding.enter(session, sighting, now=now)
        else:
            outcomes[sighting.id] = coverage.enter(session, sighting, now=now)
    return Receipt(outcomes=outcomes)


@router.get("/sensor/plan")
@permission("monitor:finding:report")
def read_plan(session: ReadSession) -> Plan:
    """Return what sensors are to watch."""
    return plan.current(session)


@router.get("/sensor")
@permission("monitor:finding:read")
def list_sensors(session: ReadSession) -> SensorPage:
    """List sensors and whether they see."""
    return SensorPage(
        items=[
            SensorView(
                name=one.name,
                first_heard=one.first_heard,
                last_heard=one.last_heard,
                blind=coverage.is_blind(session, one.name),
            )
            for one in coverage.sensors(session)
        ]
    )


@router.get("/sensor/window")
@permission("monitor:finding:read")
def list_windows(session: ReadSession, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> WindowPage:
    """List the times that were not monitored."""
    rows = coverage.windows(session, limit=limit)
    return WindowPage(items=[WindowView.model_validate(row, from_attributes=True) for row in rows])


@router.get("/alert")
@permission("monitor:finding:read")
def list_alerts(session: ReadSession, wanted: Annotated[AlertFilter, Query()]) -> AlertPage:
    """List alerts, newest first."""
    statement = select(Finding).order_by(col(Finding.at).desc(), Finding.id).limit(wanted.limit)
    for name in ("domain", "person", "request_id", "serial", "state"):
        value = getattr(wanted, name)
        if value:
            statement = statement.where(getattr(Finding, name) == value)
    if wanted.since is not None:
        statement = statement.where(Finding.at >= wanted.since)
    return AlertPage(items=[_view(row) for row in session.exec(statement)])


@router.get("/alert/{identifier}")
@permission("monitor:finding:read")
def read_alert(identifier: Word, session: ReadSession) -> AlertView:
    """Return one alert."""
    return _view(finding.get(session, identifier))


def check_own(principal: Principal, batch: SightingBatch) -> None:
    """Raise ``SensorMismatch`` when a sighting is another sensor's: names come from the certificate."""
    for sighting in batch.sightings:
        if sighting.sensor != principal.identifier or not sighting.id.startswith(f"{principal.identifier}:"):
            raise SensorMismatch(
                f"`{principal.identifier}` reports in the name of `{sighting.sensor}`",
                hint="a sensor reports as the device that its certificate names",
            )


def _view(row: Finding) -> AlertView:
    named = {name: getattr(row, name) for name in AlertView.model_fields if hasattr(row, name)}
    named |= {
        "summary": finding.summary(row),
        "level": Classification(row.level).marking,
        "ceiling": Classification(row.ceiling).marking or "公开",
        "exceeds_legal_maximum": row.exceeds,
        "in_charge": OfficerView(post=row.in_charge_post, person=row.in_charge_person, name=row.in_charge_name),
        "operating": OfficerView(post=row.operating_post, person=row.operating_person, name=row.operating_name),
        "candidates": [Candidate(**one) for one in json.loads(row.candidates)],
        "rule": row.sid,
        "first": row.at,
        "count": row.hits,
    }
    return AlertView(**named)
