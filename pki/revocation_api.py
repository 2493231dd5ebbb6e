"""Revoke, hold and release over HTTP: answered when it is in force; the lists follow within a moment."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlmodel import Session

from core.clock import Clock, to_rfc3339
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission
from core.errors import Unavailable
from core.identity import Serial
from core.ledger.publication import await_publication
from core.provision import provided
from pki import listed, revocation

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1/certificate", tags=["certificate"])

#: Seconds that an answer waits for record and lists; what was done is done either way.
_PATIENCE = 3.0

Store = Annotated[Database, Depends(provided(Database))]
Watch = Annotated[Clock, Depends(provided(Clock))]


class RevocationRequest(BaseModel):
    """Why: a reason of RFC 5280 by its word."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="unspecified", max_length=40)


class HoldRequest(BaseModel):
    """Until when (RFC 3339, with an offset), and why: for those who may read the record."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime
    message: str = Field(default="", max_length=400)


class Done(BaseModel):
    """What was done: its record, whether that is published and mirrored, and the number of the lists that tell it.

    No number: the worker or the signer did not answer in time, and the lists follow when they do. The act is in force
    all the same.
    """

    serial: str
    state: str
    record: str
    published: bool
    crl_numbers: list[int]


class Revoked(Done):
    """A revocation."""

    revoked_at: str
    reason: str


class Held(Done):
    """A hold and its end."""

    until: str


@router.post("/{serial}/revocation")
@permission("pki:certificate:revoke")
def revoke(serial: str, body: RevocationRequest, principal: Acting, database: Store, clock: Watch) -> Revoked:
    """Revoke a certificate; answered when it is in force, and when record and lists are out or took too long."""
    at, number = clock.now(), Serial(serial.lower())
    with database.write() as session:
        record = revocation.revoke(session, number, reason=body.reason, actor=principal.identifier, at=at)
    # From here on every decision refuses. A crash here leaves the lists to the job that publishes them.
    done = _told(database, number, "revoked", record)
    return Revoked(**done.model_dump(), revoked_at=to_rfc3339(at), reason=body.reason)


@router.post("/{serial}/hold")
@permission("pki:certificate:hold")
def hold(serial: str, body: HoldRequest, principal: Acting, database: Store, clock: Watch) -> Held:
    """Put a certificate on hold, or give its hold another end: refused everywhere until then."""

    def act(session: Session, at: datetime) -> str:
        return revocation.hold(
            session,
            Serial(serial.lower()),
            until=body.until,
            message=body.message,
            actor=principal.identifier,
            at=at,
        )

    done = _act(database, clock, act, Serial(serial.lower()), "held")
    return Held(**done.model_dump(), until=to_rfc3339(body.until))


@router.post("/{serial}/release")
@permission("pki:certificate:release")
def release(serial: str, principal: Acting, database: Store, clock: Watch) -> Done:
    """Release a certificate from hold: good again everywhere."""

    def act(session: Session, at: datetime) -> str:
        return revocation.release(session, Serial(serial.lower()), actor=principal.identifier, at=at)

    return _act(database, clock, act, Serial(serial.lower()), "good")


def _act(database: Database, clock: Clock, act: Callable[[Session, datetime], str], serial: Serial, state: str) -> Done:
    with database.write() as session:
        record = act(session, clock.now())
    # A crash here leaves a hold or a release that is in force and on no list yet: the job publishes them.
    return _told(database, serial, state, record)


def _told(database: Database, serial: Serial, state: str, record: str) -> Done:
    """Wait until record and lists are out; say what of it was (the act is done either way)."""
    end = time.monotonic() + _PATIENCE
    try:
        await_publication(database, record, timeout=_PATIENCE)
        published = True
    except Unavailable:
        # Told as a failure, what is in force would be taken for what is not.
        published = False
    numbers = _numbers(database, serial, end)
    return Done(serial=serial, state=state, record=record, published=published, crl_numbers=numbers)


def _numbers(database: Database, serial: Serial, end: float) -> list[int]:
    while True:
        try:
            with database.read() as session:
                number = listed.number(session, serial)
        except Unavailable:
            return []
        if number is not None:
            return [number]
        if time.monotonic() >= end:
            return []
        time.sleep(0.02)
