"""Handing evidence out over HTTP: a few records with their proofs, a bundle with disclosed bodies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from core.clock import Clock
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission
from core.ledger import api, bundle, evidence, extract
from core.ledger import body as bodies
from core.ledger.place import LedgerPlace
from core.provision import WriteSession, provided

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/evidence", tags=["evidence"])

Place = Annotated[LedgerPlace, Depends(provided(LedgerPlace))]
Time = Annotated[Clock, Depends(provided(Clock))]
Store = Annotated[Database, Depends(provided(Database))]

Named = Annotated[str, Field(pattern=r"^[0-9a-f]{1,40}$")]
Identifier = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class ExtractRequest(BaseModel):
    """Records by their numbers or identifiers."""

    model_config = ConfigDict(extra="forbid")

    records: list[Named] = Field(min_length=1, max_length=extract.MOST)


class DisclosureRequest(BaseModel):
    """The ids of the records whose bodies go with the bundle."""

    model_config = ConfigDict(extra="forbid")

    bodies: list[Identifier] = Field(min_length=1, max_length=1_000)


def _extracted(request: ExtractRequest, place: Place, database: Store) -> tuple[list[int], bytes]:
    with database.read() as session:
        return extract.extract(session, place, request.records)


#: Numbers and zip. Declared before the ``WriteSession``, so that SQLite's one writer does not wait for the proofs.
Extracted = Annotated[tuple[list[int], bytes], Depends(_extracted)]


@router.post("/extract")
@permission("evidence:bundle:export")
def export_records(
    extracted: Extracted, principal: Acting, place: Place, session: WriteSession, clock: Time
) -> Response:
    """Hand out a few records, each with its proof; that they were handed out is on record."""
    numbers, content = extracted
    evidence.append(session, extract.exported(place, numbers, actor=principal.identifier), at=clock.now())
    headers = {"X-Guosuo-Fingerprint": place.fingerprint}
    return Response(content, media_type="application/zip", headers=headers)


@router.post("/bundle/disclosed")
@permission("evidence:body:read")
def export_with_bodies(
    request: DisclosureRequest,
    principal: Acting,
    place: Place,
    database: Store,
    clock: Time,
) -> StreamingResponse:
    """Export the whole log with the bodies of some records, so that their commitments can be checked."""
    with database.read() as session:
        shown = [bodies.disclose(session, one) for one in dict.fromkeys(request.bodies)]
    return api.stream(place, bundle.export(database, clock, place, actor=principal.identifier, bodies=shown))
