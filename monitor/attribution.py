"""Whose was it? From a leak on the clear hop to the request, its certificate, the person and both officers.

A person is named only when nothing speaks against it: the request is on record as allowed, at that time, for the very
certificate that the headers name, and no other transaction carried it. Otherwise candidates are listed, or nobody.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from authz.models import GatewayRequest
from core.errors import Conflict, NotFound
from core.identity import DomainId, SystemId
from core.registry import responsibility
from core.registry.models import Organisation, Person
from core.registry.responsibility import Officers
from monitor.models import Finding
from monitor.sighting import Leak

#: Longest time from a request's decision until its leak is seen: a long download.
LONGEST_TRANSFER = timedelta(hours=1)

#: How far the clocks of gateway and sensor may be apart.
SKEW = timedelta(seconds=5)

#: How far back to look for those who may have been it, when no request is named, and how many to list.
NEIGHBOURHOOD = timedelta(seconds=60)
_MOST_CANDIDATES = 20

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")


class State(StrEnum):
    """How sure an attribution is."""

    NAMED = "named"
    CANDIDATES = "candidates"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Suspect:
    """One request that a leak may belong to, and who made it."""

    request_id: str
    serial: str
    person: str
    name: str
    organisation: str
    organisation_name: str
    system: str
    application: str
    address: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Attribution:
    """The answer; ``named`` only in state ``named``. ``explanation`` is a sentence why it is not surer."""

    state: State
    explanation: str
    named: Suspect | None = None
    candidates: tuple[Suspect, ...] = field(default_factory=tuple)
    officers: Officers | None = None


def attribute(session: Session, leak: Leak) -> Attribution:
    """Return whose ``leak`` was, as of the time it happened."""
    request = _request(session, leak.request_id)
    doubt = _absence(leak) if request is None else _doubt(session, leak, request)
    if request is not None and not doubt:
        named = _suspect(session, request)
        found = _officers(session, request.system, leak.domain, leak.at)
        return Attribution(State.NAMED, "", named=named, officers=found)
    near = _near(session, leak, request)
    state = State.CANDIDATES if near else State.UNKNOWN
    found = _officers(session, "", leak.domain, leak.at)
    return Attribution(state, doubt, candidates=tuple(_suspect(session, one) for one in near), officers=found)


def _request(session: Session, identifier: str) -> GatewayRequest | None:
    return session.get(GatewayRequest, identifier) if _REQUEST_ID.fullmatch(identifier) else None


def _absence(leak: Leak) -> str:
    if not leak.request_id:
        return "the transaction carried no request id, or more than one"
    return "no gateway has a record of this request"


def _doubt(session: Session, leak: Leak, request: GatewayRequest) -> str:
    """Return what speaks against naming the request's person; empty when nothing does."""
    if not request.allowed or not request.person:
        return "the gateway refused this request"
    if request.serial != leak.serial:
        return "the certificate in the header is not the one that made this request"
    if not request.at - SKEW <= leak.at <= request.at + LONGEST_TRANSFER + SKEW:
        return "the request was made at another time"
    if _carried_by_another(session, leak):
        return "more than one transaction carried this request id"
    return ""


def _carried_by_another(session: Session, leak: Leak) -> bool:
    statement = select(Finding.id).where(
        Finding.request_id == leak.request_id,
        Finding.sensor == leak.sensor,
        Finding.transaction != leak.transaction,
    )
    return session.exec(statement).first() is not None


def _near(session: Session, leak: Leak, request: GatewayRequest | None) -> list[GatewayRequest]:
    """Return the allowed requests into the domain just before the leak, and the one that was claimed."""
    statement = (
        select(GatewayRequest)
        .where(GatewayRequest.domain == leak.domain, col(GatewayRequest.allowed).is_(True), GatewayRequest.person != "")
        .where(GatewayRequest.at >= leak.at - NEIGHBOURHOOD, GatewayRequest.at <= leak.at + SKEW)
        .order_by(col(GatewayRequest.at).desc(), GatewayRequest.request_id)
        .limit(_MOST_CANDIDATES)
    )
    found = list(session.exec(statement))
    if request is not None and request.person and request not in found:
        found.insert(0, request)
    return found


def _suspect(session: Session, request: GatewayRequest) -> Suspect:
    person = session.get(Person, request.person)
    organisation = session.get(Organisation, person.organisation) if person else None
    return Suspect(
        request_id=request.request_id,
        serial=request.serial,
        person=request.person,
        name=person.name if person else "",
        organisation=organisation.id if organisation else "",
        organisation_name=organisation.name if organisation else "",
        system=request.system,
        application=request.application,
        address=request.address,
        at=request.at,
    )


def _officers(session: Session, system: str, domain: str, at: datetime) -> Officers | None:
    """Return who answers for the system, or else for the domain; a leak is entered even when nobody does."""
    wanted = [(SystemId(system), None)] if system else []
    for one, other in [*wanted, (None, DomainId(domain))]:
        try:
            return responsibility.officers(session, system=one, domain=other, at=at)
        except (NotFound, Conflict):
            continue
    return None
