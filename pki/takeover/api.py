"""Take-overs over HTTP: judge without a trace, bring a plan in parts, seal it, look. The act itself is an approval."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, func, select

from core.clock import Clock
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission
from core.provision import ReadSession, WriteSession, provided
from hsm.client import SignerClient
from hsm.models import KeyPurpose
from pki.models import CrlPublication
from pki.takeover import events, material, staging
from pki.takeover.material import Header, Item
from pki.takeover.models import Takeover, TakeoverPlan

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/takeover", tags=["certificate"])

Now = Annotated[Clock, Depends(provided(Clock))]
Store = Annotated[Database, Depends(provided(Database))]
Keys = Annotated[SignerClient, Depends(provided(SignerClient))]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


class JudgeRequest(BaseModel):
    """Some of the certificates of an authority."""

    model_config = ConfigDict(extra="forbid")

    header: Header
    items: list[Item] = Field(max_length=material.AT_ONCE)


class PartRequest(JudgeRequest):
    """A part of a plan; ``first`` is the place of its first item, from 0."""

    first: int = Field(ge=0, le=material.MOST)


class VerdictItem(BaseModel):
    """What becomes of one certificate: enters, listed, changes, known, left or blocked; ``why`` and whose it is."""

    serial: str
    verdict: str
    why: str
    holder: str


class JudgeAnswer(BaseModel):
    """The verdicts, in the order of the items."""

    items: list[VerdictItem]


class PlanItem(BaseModel):
    """A plan and how far it is."""

    digest: str
    authority: str
    state: str
    total: int
    done: int
    entered: int
    listed: int
    changed: int
    left: int
    at: datetime


class TakeoverItemAnswer(BaseModel):
    """An authority that was taken over: ``number`` is the old one's last known list, ``ours`` the highest of ours."""

    authority: str
    state: str
    key: str
    domains: str
    number: int
    ours: int
    begun_at: datetime
    finished_at: datetime | None


class TakeoverList(BaseModel):
    """Every authority that was taken over, and every plan, the newest first."""

    items: list[TakeoverItemAnswer]
    plans: list[PlanItem]


@router.post("/judge")
@permission("pki:takeover:plan")
def judge(body: JudgeRequest, session: ReadSession, clock: Now) -> JudgeAnswer:
    """Say what would become of some certificates; nothing is kept."""
    found = staging.judge(session, body.header, body.items, clock.now())
    answers = [
        VerdictItem(
            serial=item.serial,
            verdict=one.word,
            why=one.why,
            holder=f"{one.holder.kind}:{one.holder.identifier}" if one.holder else "",
        )
        for item, one in zip(body.items, found, strict=True)
    ]
    return JudgeAnswer(items=answers)


@router.get("")
@permission("pki:certificate:read")
def list_(session: ReadSession) -> TakeoverList:
    """List what was taken over, and the plans."""
    rows = session.exec(select(Takeover).order_by(Takeover.authority)).all()
    plans = session.exec(select(TakeoverPlan).order_by(col(TakeoverPlan.at).desc()).limit(100)).all()
    return TakeoverList(items=[_item(session, one) for one in rows], plans=[_plan(one) for one in plans])


@router.post("/{digest}/part")
@permission("pki:takeover:plan")
def stage(digest: Digest, body: PartRequest, session: WriteSession, principal: Acting, clock: Now) -> PlanItem:
    """Bring a part of a plan; the same part again is no news."""
    actor, now = principal.identifier, clock.now()
    return _plan(staging.stage(session, digest, body.header, body.first, body.items, now, actor))


@router.post("/{digest}/key")
@permission("pki:takeover:plan")
def prove(digest: Digest, session: ReadSession, keys: Keys, clock: Now) -> PlanItem:
    """Have the key in the token sign for the certificate of a plan; nothing is changed."""
    row = staging.find(session, digest)
    spki = staging.check(session, staging.header_of(row), clock.now()).spki
    keys.adopt(staging.header_of(row).key, spki, KeyPurpose.CA, enter=False)
    return _plan(row)


@router.post("/{digest}/seal")
@permission("pki:takeover:plan")
def seal(digest: Digest, database: Store) -> PlanItem:
    """Close a plan that is whole: exactly this may then be agreed on."""
    # Read first: a long plan takes longer than a writer should be held.
    with database.read() as session:
        parts = staging.check_whole(session, digest)
    with database.write() as session:
        return _plan(staging.seal(session, digest, parts))


def _item(session: Session, one: Takeover) -> TakeoverItemAnswer:
    of = select(func.max(CrlPublication.number)).where(CrlPublication.issuer == one.authority)
    return TakeoverItemAnswer(
        authority=one.authority,
        state=one.state,
        key=one.key,
        domains=", ".join(events.domains_of(one)),
        number=one.number,
        ours=session.exec(of).one() or 0,
        begun_at=one.begun_at,
        finished_at=one.finished_at,
    )


def _plan(one: TakeoverPlan) -> PlanItem:
    return PlanItem.model_validate(one, from_attributes=True)
