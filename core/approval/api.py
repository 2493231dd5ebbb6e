"""Acts of two people over HTTP: preview, propose, and everything that can be decided on what waits."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from core import signed
from core.approval import answer, decision, inbox, looking, proposal
from core.approval.acts import Acts
from core.approval.answer import ItemList, PreviewAnswer, Shown
from core.clock import Clock
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission
from core.identity import PersonId
from core.provision import ReadSession, WriteSession, provided
from core.signed import Json
from core.signing import Signature, SigningPeer

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/approval", tags=["approval"])

Time = Annotated[Clock, Depends(provided(Clock))]
Known = Annotated[Acts, Depends(provided(Acts))]
Store = Annotated[Database, Depends(provided(Database))]
Identifier = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]

_LINE = r"^[^\x00-\x1f]*$"

Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=_LINE)]


class PreviewRequest(BaseModel):
    """An act and its body."""

    model_config = ConfigDict(extra="forbid")

    act: str = Field(max_length=80)
    body: dict[str, JsonValue]
    reason: Reason


class ProposeRequest(PreviewRequest):
    """A proposal, signed as ``approval.propose`` on the object and digest that the preview named."""

    signed: Signature


class ResubmitRequest(BaseModel):
    """The corrected body, signed as ``approval.resubmit`` on the proposal."""

    model_config = ConfigDict(extra="forbid")

    body: dict[str, JsonValue]
    reason: Reason
    signed: Signature


class DecisionRequest(BaseModel):
    """A decision, signed on the proposal with the digest of ``core/approval/content.py``."""

    model_config = ConfigDict(extra="forbid")

    comment: str = Field(default="", max_length=1000, pattern=_LINE)
    signed: Signature


class ReasonedRequest(BaseModel):
    """A decision that says why."""

    model_config = ConfigDict(extra="forbid")

    comment: Reason
    signed: Signature


def _looked_at_new(body: ProposeRequest, principal: Acting, acts: Known, clock: Time, database: Store) -> Acts:
    who = PersonId(principal.identifier)
    with database.read() as session:
        return looking.at_new(session, acts, body.act, _plain(body.body), who=who, at=clock.now())


def _looked_at_kept(identifier: Identifier, principal: Acting, acts: Known, clock: Time, database: Store) -> Acts:
    with database.read() as session:
        return looking.at_kept(session, acts, identifier, PersonId(principal.identifier), clock.now())


def _looked_at_corrected(
    identifier: Identifier, body: ResubmitRequest, principal: Acting, acts: Known, clock: Time, database: Store
) -> Acts:
    who = PersonId(principal.identifier)
    with database.read() as session:
        return looking.at_corrected(session, acts, identifier, _plain(body.body), who=who, at=clock.now())


#: Acts that have looked already. Declared before the ``WriteSession``: what comes first is done first, and SQLite's one
#: writer does not wait for it.
LookedAtNew = Annotated[Acts, Depends(_looked_at_new)]
LookedAtKept = Annotated[Acts, Depends(_looked_at_kept)]
LookedAtCorrected = Annotated[Acts, Depends(_looked_at_corrected)]


@router.post("/preview")
@permission("approval:proposal:make")
def preview(body: PreviewRequest, session: ReadSession, principal: Acting, acts: Known, clock: Time) -> PreviewAnswer:
    """Show what a proposal would mean; nothing is changed."""
    content = _plain(body.body)
    seen = proposal.preview(
        session, acts, act=body.act, body=content, reason=body.reason, proposer=principal, at=clock.now()
    )
    ruling, _act = acts.get(body.act)
    return PreviewAnswer(
        act=body.act,
        title=f"{ruling.title.zh} · {ruling.title.en}",
        object=seen.object,
        domain=seen.domain,
        digest=seen.digest,
        consequences=seen.consequences,
        needed=seen.needed,
        hours=ruling.hours,
        approvers=answer.people(seen.approvers),
    )


@router.post("")
@permission("approval:proposal:make")
def propose(body: ProposeRequest, acts: LookedAtNew, session: WriteSession, peer: SigningPeer) -> Shown:
    """Enter a proposal."""
    content = _plain(body.body)
    row = proposal.propose(
        session, acts, act=body.act, body=content, reason=body.reason, peer=peer, signature=body.signed
    )
    return answer.shown(session, acts, row, peer.at)


@router.get("")
@permission("approval:proposal:read")
def list_(
    session: ReadSession,
    principal: Acting,
    acts: Known,
    clock: Time,
    state: Literal["", "waiting", "returned", "done", "failed", "rejected", "withdrawn", "expired"] = "",
    *,
    mine: bool = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> ItemList:
    """List proposals that concern the caller; with ``mine`` only what waits for them."""
    at, who = clock.now(), PersonId(principal.identifier)
    if mine:
        rows = [row for row in inbox.waiting_for(session, acts, who, at) if not state or row.state == state][:limit]
    else:
        rows = inbox.find(session, acts, who, at, state=state, limit=limit)
    return ItemList(items=[answer.item(session, acts, row, at) for row in rows])


@router.get("/{identifier}")
@permission("approval:proposal:read")
def show(identifier: Identifier, session: ReadSession, principal: Acting, acts: Known, clock: Time) -> Shown:
    """Show one proposal, with what would happen if it were carried out now."""
    at = clock.now()
    row = inbox.get(session, acts, PersonId(principal.identifier), identifier, at)
    return answer.shown(session, acts, row, at)


@router.post("/{identifier}/approve")
@permission("approval:proposal:decide")
def approve(
    identifier: Identifier, body: DecisionRequest, acts: LookedAtKept, session: WriteSession, peer: SigningPeer
) -> Shown:
    """Agree; the last approval that is needed carries the act out."""
    row = decision.approve(session, acts, identifier, comment=body.comment, peer=peer, signature=body.signed)
    return answer.shown(session, acts, row, peer.at)


@router.post("/{identifier}/return")
@permission("approval:proposal:decide")
def return_(
    identifier: Identifier, body: ReasonedRequest, acts: LookedAtKept, session: WriteSession, peer: SigningPeer
) -> Shown:
    """Give it back to be corrected."""
    row = decision.return_(session, acts, identifier, comment=body.comment, peer=peer, signature=body.signed)
    return answer.shown(session, acts, row, peer.at)


@router.post("/{identifier}/reject")
@permission("approval:proposal:decide")
def reject(
    identifier: Identifier, body: ReasonedRequest, session: WriteSession, peer: SigningPeer, acts: Known
) -> Shown:
    """Refuse it for good."""
    row = decision.reject(session, acts, identifier, comment=body.comment, peer=peer, signature=body.signed)
    return answer.shown(session, acts, row, peer.at)


@router.post("/{identifier}/resubmit")
@permission("approval:proposal:make")
def resubmit(
    identifier: Identifier, body: ResubmitRequest, acts: LookedAtCorrected, session: WriteSession, peer: SigningPeer
) -> Shown:
    """Propose again, corrected, what was returned."""
    content = _plain(body.body)
    row = proposal.resubmit(
        session, acts, identifier, body=content, reason=body.reason, peer=peer, signature=body.signed
    )
    return answer.shown(session, acts, row, peer.at)


@router.post("/{identifier}/withdraw")
@permission("approval:proposal:make")
def withdraw(
    identifier: Identifier, body: ReasonedRequest, session: WriteSession, peer: SigningPeer, acts: Known
) -> Shown:
    """Take it back."""
    row = proposal.withdraw(session, identifier, comment=body.comment, peer=peer, signature=body.signed)
    return answer.shown(session, acts, row, peer.at)


def _plain(body: dict[str, JsonValue]) -> dict[str, Json]:
    """Return a body of texts, whole numbers, truth and nothing. Raises ``Malformed``."""
    found = signed.plain(body)
    assert isinstance(found, dict)
    return found
