"""Evidence over HTTP: find records, export the bundle; the log itself as static files (C2SP tlog-tiles).

Checkpoint and hashes are for everybody: they tell nothing but that history stays as it was. Entry bundles hold the
records themselves, so they need the same permission as reading records.
"""

import json
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from core.clock import Clock, to_rfc3339
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission, public
from core.errors import NotFound
from core.ledger import annotating, annotation, bundle, proving, published, search
from core.ledger.annotation import Note
from core.ledger.bundle import Exported
from core.ledger.models import EvidenceRow
from core.ledger.place import LedgerPlace
from core.ledger.search import Wanted
from core.ledger.stub import parse_stub
from core.provision import ReadSession, WriteSession, provided
from core.signing import Signature, SigningPeer

router = APIRouter(route_class=EnforcedRoute, tags=["evidence"])

Place = Annotated[LedgerPlace, Depends(provided(LedgerPlace))]

_PIECE = 65_536

#: No record holds a NUL, and PostgreSQL cannot be asked for one.
_TEXT = "^[^\\x00]*$"

#: A tile never changes (C2SP tlog-tiles); a checkpoint is replaced all the time.
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
#: Entries do change: what is purged must not live on in a cache.
_NEVER_PRIVATE = {"Cache-Control": "private, no-store"}
_NEVER = {"Cache-Control": "no-cache"}


class Record(BaseModel):
    """One record; ``sequence`` is its number in the log, empty for the moment until it has one."""

    sequence: int | None
    at: str
    type: str
    actor: str
    object: str
    domain: str
    result: str
    id: str
    details: dict[str, JsonValue]


class RecordList(BaseModel):
    """Records, newest first."""

    items: list[Record]


@router.get("/api/v1/evidence")
@permission("evidence:record:read")
def find(session: ReadSession, wanted: Annotated[Wanted, Query()]) -> RecordList:
    """Find records by object, actor, type, domain, time and text, newest first."""
    return RecordList(items=[_record(row) for row in search.find(session, wanted)])


@router.post("/api/v1/evidence/bundle")
@permission("evidence:bundle:export")
def export(
    principal: Acting,
    place: Place,
    database: Annotated[Database, Depends(provided(Database))],
    clock: Annotated[Clock, Depends(provided(Clock))],
) -> StreamingResponse:
    """Export the whole log as a bundle; the header ``X-Guosuo-Fingerprint`` carries what verifies it."""
    return stream(place, bundle.export(database, clock, place, actor=principal.identifier))


@router.get("/api/v1/evidence/consistency")
@permission("evidence:record:read")
def consistency(place: Place, since: Annotated[int, Query(ge=0, le=2**53)]) -> Response:
    """Prove that the newest checkpoint continues the log of ``since`` records (body of tlog-witness add-checkpoint)."""
    made = proving.prove_consistency(place, since)
    return Response(made.encode(), media_type="text/plain; charset=utf-8", headers=_NEVER)


@router.get("/api/v1/evidence/{wanted}/proof")
@permission("evidence:record:read")
def proof(session: ReadSession, place: Place, wanted: Annotated[str, Path(max_length=40, pattern=_TEXT)]) -> Response:
    """Prove one record, by its number or identifier, as a C2SP tlog-proof that carries the record."""
    made = proving.prove_record(place, proving.find_number(session, wanted))
    return Response(made.encode(), media_type="text/plain; charset=utf-8", headers=_NEVER)


class AnnotationRequest(BaseModel):
    """A note, signed as ``evidence.annotate`` on ``record:ID`` with the digest of ``{"salt": ..., "text": ...}``.

    ``salt`` is 32 random octets in hexadecimal: it goes with the text when that is erased, the digest stays.
    """

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=annotation.LONGEST, pattern=_TEXT)
    salt: str = Field(pattern="^[0-9a-f]{64}$")
    signed: Signature


class Annotation(BaseModel):
    """The record that holds the note."""

    id: str
    record: str


@router.post("/api/v1/evidence/{record}/annotation")
@permission("evidence:record:annotate")
def annotate(
    record: Annotated[str, Path(pattern="^[0-9a-f]{32}$")],
    body: AnnotationRequest,
    session: WriteSession,
    peer: SigningPeer,
) -> Annotation:
    """Note something about a record; the record itself stays as it is."""
    peer.hold(session)
    note = Note(body.text, body.salt)
    proof = peer.verify(
        body.signed,
        act=annotation.ACT,
        object_=annotation.object_of(record),
        digest=annotation.digest_of(note),
    )
    made = annotating.annotate(session, record, note, proof, serial=peer.principal.serial, at=peer.at)
    return Annotation(id=made, record=record)


@router.get("/ledger/checkpoint.cosigned")
@public
def cosigned(place: Place) -> Response:
    """Return the newest checkpoint that witnesses cosigned, with their signatures."""
    return Response(published.cosigned(place.directory), media_type="text/plain; charset=utf-8", headers=_NEVER)


@router.get("/ledger/checkpoint")
@public
def checkpoint(place: Place) -> Response:
    """Return the newest signed checkpoint."""
    return Response(published.newest(place.directory), media_type="text/plain; charset=utf-8", headers=_NEVER)


@router.get("/ledger/tile/entries/{path:path}")
@permission("evidence:record:read")
def entries(path: str, place: Place) -> Response:
    """Return an entry bundle."""
    content = published.tile(place.directory, f"tile/entries/{path}")
    return Response(content, media_type="application/octet-stream", headers=_NEVER_PRIVATE)


@router.get("/ledger/tile/{path:path}")
@public
def tile(path: str, place: Place) -> Response:
    """Return a tile of hashes."""
    if path.startswith("entries/"):
        raise NotFound("records are not for everybody")
    content = published.tile(place.directory, f"tile/{path}")
    return Response(content, media_type="application/octet-stream", headers=_FOR_EVER)


def stream(place: LedgerPlace, made: Exported) -> StreamingResponse:
    """Return the answer that hands out a bundle and closes it."""
    headers = {
        "X-Guosuo-Fingerprint": place.fingerprint,
        "X-Guosuo-Size": str(made.size),
        "Content-Length": str(made.octets),
        "Content-Disposition": f'attachment; filename="evidence-{made.size}.zip"',
    }
    return StreamingResponse(_pieces(made), media_type="application/zip", headers=headers)


def _pieces(made: Exported) -> Iterator[bytes]:
    with made.content as content:
        while piece := content.read(_PIECE):
            yield piece


def _record(row: EvidenceRow) -> Record:
    return Record(
        sequence=row.sequence,
        at="" if row.leaf else to_rfc3339(row.at),
        type=row.type,
        actor=row.actor,
        object=row.object,
        domain=row.domain,
        result=row.result,
        id=row.identifier,
        details=_details(row),
    )


def _details(row: EvidenceRow) -> dict[str, JsonValue]:
    stub = parse_stub(row.content)
    if stub is not None:
        return {"purged_by": stub.by, "leaf": stub.leaf.hex()}
    details: dict[str, JsonValue] = json.loads(row.content)["details"]
    return details
