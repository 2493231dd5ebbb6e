"""Duties over HTTP: mine, everybody's, take up, done; orphans; and what is red and lapses next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from core.clock import Clock, to_rfc3339
from core.database import Database
from core.duty import duty, escalation, events, orphan, statement, status, survey
from core.duty.errors import NoSuchDuty, NotYours
from core.duty.models import Duty
from core.enforcement import Acting, EnforcedRoute, permission
from core.ledger import evidence
from core.ledger.entry import JsonValue
from core.provision import ReadSession, provided
from core.signing import Peer, Signature, SigningPeer

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["duty"])

Time = Annotated[Clock, Depends(provided(Clock))]
Store = Annotated[Database, Depends(provided(Database))]


class DutyItem(BaseModel):
    """A duty; ``holder`` holds its post now (empty: nobody), times are RFC 3339."""

    id: str
    kind: str
    object: str
    title: str
    stage: str
    post: str
    holder: str
    domain: str
    state: str
    raised_at: str
    due: str
    overdue: bool
    escalated_post: str
    acknowledged_by: str
    acknowledged_at: str
    settled_by: str
    settled_at: str
    signature: str


class DutyList(BaseModel):
    """Duties that wait, the most pressing first; ``total`` counts those beyond the limit too."""

    items: list[DutyItem]
    total: int


class OrphanItem(BaseModel):
    """One thing that nobody answers for, and why."""

    kind: str
    identifier: str
    title: str
    why: str


class OrphanList(BaseModel):
    """What nobody answers for: empty is the rule."""

    items: list[OrphanItem]


class Standing(BaseModel):
    """How things stand: what is red, and what lapses next."""

    open: int
    red: list[DutyItem]
    next: list[DutyItem]
    orphans: list[OrphanItem]


class Word(BaseModel):
    """What the person has to say, signed as ``core/duty/statement.py`` has it; it goes into the evidence."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=400, pattern=r"^[^\x00-\x1f]*$")
    signed: Signature


class Wanted(BaseModel):
    """What to list; empty means all that wait."""

    model_config = ConfigDict(extra="forbid")

    post: str = Field(default="", max_length=80)
    orphan: bool = False
    overdue: bool = False
    limit: int = Field(default=200, ge=1, le=1000)


@router.get("/duty/mine")
@permission("self:duty:read")
def list_mine(session: ReadSession, principal: Acting, clock: Time, wanted: Annotated[Wanted, Query()]) -> DutyList:
    """List the duties of the posts that the caller holds."""
    now = clock.now()
    posts = duty.posts_of(session, principal.identifier, now)
    mine = [one for one in duty.waiting(session) if duty.answers(one, posts)]
    return _page(session, mine, wanted, now)


@router.get("/duty/mine/{identifier}")
@permission("self:duty:read")
def show_mine(identifier: str, session: ReadSession, principal: Acting, clock: Time) -> DutyItem:
    """Show a duty of a post that the caller holds."""
    now, found = clock.now(), duty.get(session, identifier)
    if not duty.answers(found, duty.posts_of(session, principal.identifier, now)):
        raise NoSuchDuty(f"there is no duty `{identifier}` of yours", hint="see `guosuo duty list --mine`")
    return _item(found, survey.holders(session, now), now)


@router.post("/duty/mine/{identifier}/acknowledgement")
@permission("self:duty:acknowledge")
def acknowledge(identifier: str, body: Word, peer: SigningPeer, database: Store) -> DutyItem:
    """Take a duty up, as the person who holds its post, signed with their own key."""
    return _act(database, peer, identifier, body, _Move(statement.ACKNOWLEDGE, duty.acknowledge))


@router.post("/duty/mine/{identifier}/conclusion")
@permission("self:duty:acknowledge")
def conclude(identifier: str, body: Word, peer: SigningPeer, database: Store) -> DutyItem:
    """Say that a duty is done, as the person who holds its post, signed with their own key."""
    return _act(database, peer, identifier, body, _Move(statement.CONCLUDE, duty.conclude))


@router.get("/duty")
@permission("duty:entry:read")
def list_all(session: ReadSession, clock: Time, wanted: Annotated[Wanted, Query()]) -> DutyList:
    """List the duties of everybody."""
    return _page(session, duty.waiting(session), wanted, clock.now())


@router.get("/duty/orphan")
@permission("duty:entry:read")
def list_orphans(session: ReadSession, clock: Time) -> OrphanList:
    """List what nobody answers for."""
    return OrphanList(items=_orphans(orphan.orphans(survey.facts(session, clock.now()))))


@router.get("/duty/{identifier}")
@permission("duty:entry:read")
def show(identifier: str, session: ReadSession, clock: Time) -> DutyItem:
    """Show one duty."""
    now = clock.now()
    return _item(duty.get(session, identifier), survey.holders(session, now), now)


@router.get("/status")
@permission("duty:entry:read")
def read_status(session: ReadSession, clock: Time) -> Standing:
    """Say what is red and what lapses next."""
    return _standing(session, clock.now())


@router.get("/status/mine")
@permission("self:duty:read")
def read_my_status(session: ReadSession, principal: Acting, clock: Time) -> Standing:
    """Say what is red and what lapses next of the posts that the caller holds."""
    return _standing(session, clock.now(), person=principal.identifier)


@dataclass(frozen=True, slots=True)
class _Move:
    """What can be done with a duty: the act as it is signed, and the code that does it."""

    act: str
    make: Callable[..., Duty]


def _act(database: Database, peer: Peer, identifier: str, body: Word, move: _Move) -> DutyItem:
    person, now = peer.principal.identifier, peer.at
    try:
        with database.write() as session:
            peer.hold(session)
            proof = _proof(session, peer, identifier, body, move.act)
            done = move.make(session, identifier, person=person, proof=proof, at=now)
            item = _item(done, survey.holders(session, now), now)
    except NotYours as refusal:
        with database.write() as session:
            evidence.append(session, events.refused(identifier, person, refusal.word), at=now)
        # A crash here leaves a recorded refusal that nobody was told: asking again is refused, and recorded, again.
        raise
    # A crash here leaves a duty taken up or done whose person was not told: doing it again changes nothing, or says so.
    return item


def _proof(session: Session, peer: Peer, identifier: str, body: Word, act: str) -> dict[str, JsonValue]:
    """Return what binds the act to the person: their signature over what they were shown. Raises ``BadSignature``."""
    row = duty.get(session, identifier, hold=True)
    seen = statement.digest(kind=row.kind, about=row.object, title=row.title, stage=row.stage, note=body.note)
    given = peer.verify(body.signed, act=act, object_=events.object_of(identifier), digest=seen)
    return {"note": body.note, "serial": peer.principal.serial, "signed": given.details()}


def _page(session: Session, rows: Sequence[Duty], wanted: Wanted, now: datetime) -> DutyList:
    held = survey.holders(session, now)
    empty = orphan.vacant(survey.facts(session, now)) if wanted.orphan else frozenset()
    chosen = [
        one
        for one in rows
        if (not wanted.post or wanted.post in (one.post, one.escalated_post))
        and (not wanted.orphan or one.post in empty)
        and (not wanted.overdue or escalation.is_overdue(one.due, now))
    ]
    return DutyList(items=[_item(one, held, now) for one in chosen[: wanted.limit]], total=len(chosen))


def _standing(session: Session, now: datetime, *, person: str = "") -> Standing:
    found, held = status.standing(session, now, person=person), survey.holders(session, now)
    return Standing(
        open=found.open,
        red=[_item(one, held, now) for one in found.red],
        next=[_item(one, held, now) for one in found.next],
        orphans=_orphans(found.orphans),
    )


def _orphans(found: Sequence[orphan.Orphan]) -> list[OrphanItem]:
    return [OrphanItem.model_validate(one, from_attributes=True) for one in found]


def _item(row: Duty, held: dict[str, str], now: datetime) -> DutyItem:
    times = {name: getattr(row, name) for name in ("raised_at", "due", "acknowledged_at", "settled_at")}
    texts = ("id", "kind", "object", "title", "stage", "post", "domain", "state", "escalated_post")
    return DutyItem(
        **{name: getattr(row, name) for name in (*texts, "acknowledged_by", "settled_by", "signature")},
        **{name: to_rfc3339(moment) if moment else "" for name, moment in times.items()},
        holder=held.get(row.post, ""),
        overdue=row.state != "settled" and escalation.is_overdue(row.due, now),
    )
