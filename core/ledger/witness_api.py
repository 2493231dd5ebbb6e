"""Witnessing over HTTP: what other logs send us (C2SP tlog-witness), and how our own log is witnessed and stamped."""

from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, HTTPException, Request, Response
from pydantic import BaseModel

from core.clock import to_rfc3339
from core.enforcement import EnforcedRoute, permission, public
from core.ledger import timestamping, witness, witnessing
from core.ledger.errors import MalformedProof, StaleSize, WitnessFailed
from core.ledger.timestamping import Timestamping
from core.ledger.witness import Witness
from core.ledger.witnessing import Witnessing
from core.pace import Pace
from core.provision import ReadSession, provided

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/evidence", tags=["evidence"])

#: Public by protocol: a request is authenticated by the signature of the log itself.
submission = APIRouter(route_class=EnforcedRoute, prefix="/witness", tags=["witness"])

Ours = Annotated[Witness, Depends(provided(Witness))]
Theirs = Annotated[Witnessing, Depends(provided(Witnessing))]
Stamping = Annotated[Timestamping, Depends(provided(Timestamping))]

#: Most octets of a submission: a size, 63 hashes, and a note with some signatures.
LARGEST_SUBMISSION = 24_576


class WitnessItem(BaseModel):
    """One witness of our log: how far it followed, and what was wrong the last time."""

    witness: str
    url: str
    size: int
    done_at: str
    error: str


class LogItem(BaseModel):
    """One log that we witness: the newest checkpoint that we cosigned."""

    origin: str
    size: int
    root: str
    at: str


class RefusalItem(BaseModel):
    """One checkpoint of another log that we did not cosign."""

    origin: str
    size: int
    root: str
    reason: str
    at: str


class Witnesses(BaseModel):
    """``log`` is the verifier key of our own log, ``key`` that of our cosignatures under the logs of others."""

    log: str
    key: str
    witnesses: list[WitnessItem]
    logs: list[LogItem]
    refused: list[RefusalItem]


class TokenItem(BaseModel):
    """One time-stamp token: over the checkpoint of ``size``, given at ``at``."""

    size: int
    authority: str
    at: str
    octets: int


class TokenList(BaseModel):
    """Tokens, newest first."""

    items: list[TokenItem]


@submission.post("/add-checkpoint")
@public
def add_checkpoint(
    request: Request,
    ours: Ours,
    pace: Annotated[Pace, Depends(provided(Pace))],
    body: Annotated[bytes, Body(media_type="text/plain")] = b"",
) -> Response:
    """Cosign the checkpoint of a log that we know, when it continues what we saw of it (C2SP tlog-witness)."""
    if not pace.admits(request.client.host if request.client else ""):
        detail = "too many checkpoints from this address: come back in a moment"
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, detail)
    if len(body) > LARGEST_SUBMISSION:
        raise MalformedProof(f"a submission has at most {LARGEST_SUBMISSION} octets")
    try:
        line = ours.add_checkpoint(body)
    except StaleSize as stale:
        # The type without a parameter, as the protocol has it.
        return Response(f"{stale.size}\n", HTTPStatus.CONFLICT, headers={"Content-Type": "text/x.tlog.size"})
    return Response(line, media_type="text/plain; charset=utf-8")


@router.get("/witness")
@permission("evidence:witness:read")
def list_witnesses(session: ReadSession, ours: Ours, theirs: Theirs) -> Witnesses:
    """Say who witnesses our log, and which logs we witness."""
    return _witnesses(session, ours, theirs)


@router.post("/witness/run")
@permission("evidence:witness:run")
def run_witnesses(session: ReadSession, ours: Ours, theirs: Theirs) -> Witnesses:
    """Have our newest checkpoint witnessed now; what failed stands with its witness."""
    # Each fault was kept with its witness, and is in the answer.
    with suppress(WitnessFailed):
        theirs.run()
    return _witnesses(session, ours, theirs)


@router.get("/timestamp")
@permission("evidence:witness:read")
def list_tokens(session: ReadSession) -> TokenList:
    """List the newest time-stamp tokens over our checkpoints."""
    return _tokens(session)


@router.post("/timestamp/run")
@permission("evidence:witness:run")
def run_timestamps(session: ReadSession, stamping: Stamping) -> TokenList:
    """Have our newest checkpoint time-stamped now."""
    stamping.run(force=True)
    return _tokens(session)


def _witnesses(session: ReadSession, ours: Witness, theirs: Witnessing) -> Witnesses:
    progress = {row.witness: row for row in witnessing.progress(session)}
    items = []
    for known in theirs.policy.witnesses.values():
        row = progress.get(known.key.name)
        done = to_rfc3339(row.done_at) if row is not None and row.done_at is not None else ""
        size, error = (row.size, row.error) if row is not None else (0, "")
        items.append(WitnessItem(witness=known.key.name, url=known.url, size=size, done_at=done, error=error))
    return Witnesses(
        log=str(theirs.log),
        key=str(ours.key()),
        witnesses=items,
        logs=[
            LogItem(origin=row.origin, size=row.size, root=row.root, at=to_rfc3339(row.at))
            for row in witness.seen(session)
        ],
        refused=[
            RefusalItem(origin=row.origin, size=row.size, root=row.root, reason=row.reason, at=to_rfc3339(row.at))
            for row in witness.refused(session)
        ],
    )


def _tokens(session: ReadSession) -> TokenList:
    return TokenList(
        items=[
            TokenItem(size=row.size, authority=row.authority, at=to_rfc3339(row.at), octets=len(row.token))
            for row in timestamping.tokens(session)
        ]
    )
