"""Acts on the register over HTTP: files, tables, handovers, signatures under agreements, and what a level asks."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock
from core.enforcement import Acting, EnforcedRoute, permission
from core.identity import PersonId, PostId
from core.provision import WriteSession, provided
from core.registry import agreement, change, changeset, document, handover, history, levels, loader, table
from core.registry.api import moment
from core.registry.difference import Change
from core.signing import Signature, SigningPeer

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["register"])

Time = Annotated[Clock, Depends(provided(Clock))]


class ChangeRequest(BaseModel):
    """A province file or a change set; with ``dry_run`` nothing is changed."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=2_000_000)
    dry_run: bool = False


class ImportRequest(ChangeRequest):
    """A table (CSV) of people or devices."""

    kind: str = Field(max_length=40)


class ChangeAnswer(BaseModel):
    """What was changed, or would be; ``fields`` has the old and the new value of each field that differs."""

    applied: bool
    added: list[str]
    changed: list[str]
    ended: list[str]
    missing_from_file: list[str]
    fields: dict[str, dict[str, list[str]]]


class HandoverRequest(BaseModel):
    """Hand a post over; ``since`` empty means now, with ``dry_run`` nothing is done."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(max_length=80)
    basis: str = Field(max_length=400)
    since: str = Field(default="", max_length=40)
    dry_run: bool = False


class HandoverAnswer(BaseModel):
    """Who held the post and who holds it from ``since`` on."""

    done: bool
    post: str
    title: str
    outgoing: str
    incoming: str
    since: str
    basis: str


class SignatureRequest(BaseModel):
    """A signature over the content's digest, with the signer's own key (see ``core/signed.py``)."""

    model_config = ConfigDict(extra="forbid")

    signed: Signature


class StandingAnswer(BaseModel):
    """Where an agreement stands; ``digest`` is what is signed."""

    agreement: str
    state: str
    digest: str
    signers: dict[str, str]


class ParameterItem(BaseModel):
    """What one level asks, with where the number comes from."""

    name: str
    title: str
    value: int
    unit: str
    basis: str
    source: str


class LevelAnswer(BaseModel):
    """Everything that a level asks."""

    level: int
    version: str
    items: list[ParameterItem]


@router.post("/register/change")
@permission("register:change:apply")
def apply(body: ChangeRequest, session: WriteSession, principal: Acting, clock: Time) -> ChangeAnswer:
    """Apply a province file or a change set, or show what it would change."""
    read = document.read(body.text)
    change.lock(session)
    at = clock.now()
    with session.begin_nested() as savepoint:
        if changeset.is_change_set(read.root):
            asked = changeset.change_set(read, history.whole(session, at))
            change.check_levels(session, asked.wanted, at)
            made = change.apply(
                session, asked.wanted, actor=principal.identifier, at=at, ends=asked.ends, basis=asked.basis
            )
            made = change.without_missing(made)
        else:
            province = loader.province(read)
            change.check_levels(session, province, at)
            made = change.apply(session, province, actor=principal.identifier, at=at)
        if body.dry_run:
            savepoint.rollback()
    return _told(made, applied=not body.dry_run)


@router.post("/register/import")
@permission("register:change:apply")
def import_table(body: ImportRequest, session: WriteSession, principal: Acting, clock: Time) -> ChangeAnswer:
    """Enter people or devices from a table, or show what it would change."""
    change.lock(session)
    at = clock.now()
    wanted = table.parse_table(body.text, body.kind, history.whole(session, at))
    with session.begin_nested() as savepoint:
        made = change.apply(session, wanted, actor=principal.identifier, at=at)
        if body.dry_run:
            savepoint.rollback()
    return _told(change.without_missing(made), applied=not body.dry_run)


@router.post("/register/handover/{post}")
@permission("register:post:handover")
def hand_over(
    post: str, body: HandoverRequest, session: WriteSession, principal: Acting, clock: Time
) -> HandoverAnswer:
    """Hand a post over, or show who holds it now and who would."""
    if not body.dry_run:
        change.lock(session)
    now = clock.now()
    since = moment(body.since, clock) if body.since else None
    order = handover.Order(PostId(post), PersonId(body.to), body.basis, since)
    if body.dry_run:
        made = handover.plan(session, order, now=now)
    else:
        made = handover.hand_over(session, order, actor=principal.identifier, now=now)
    return HandoverAnswer(
        done=not body.dry_run,
        post=made.post,
        title=made.title,
        outgoing=made.outgoing,
        incoming=made.incoming,
        since=made.since.isoformat(),
        basis=made.basis,
    )


@router.post("/register/agreement/{identifier}/signature")
@permission("register:agreement:sign")
def sign_agreement(identifier: str, body: SignatureRequest, session: WriteSession, peer: SigningPeer) -> StandingAnswer:
    """Sign an agreement for the side whose post the signer holds."""
    made = agreement.sign(session, identifier, peer=peer, signature=body.signed)
    return StandingAnswer(agreement=identifier, state=made.state, digest=made.digest, signers=dict(made.signers))


@router.get("/level/{level}")
@permission("register:entry:read")
def show_level(level: int) -> LevelAnswer:
    """Show what a protection level asks."""
    table_ = levels.table()
    items = [
        ParameterItem(
            name=one.name,
            title=f"{one.title.zh} · {one.title.en}",
            value=one.levels[levels.check_level(level)],
            unit=one.unit,
            basis=one.basis,
            source=one.source,
        )
        for one in table_.parameters
    ]
    return LevelAnswer(level=level, version=table_.version, items=items)


def _told(made: Change, *, applied: bool) -> ChangeAnswer:
    return ChangeAnswer(
        applied=applied,
        added=list(made.added),
        changed=list(made.changed),
        ended=list(made.ended),
        missing_from_file=list(made.missing),
        fields={name: {field: list(pair) for field, pair in differs.items()} for name, differs in made.fields.items()},
    )
