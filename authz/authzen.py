"""The AuthZEN Authorization API 1.0 (access evaluation): its shapes, and the way from its question to ours.

A subject is a ``certificate`` (id: serial number) or a ``person``; a resource is one of the catalogue by (type, id), or
a ``system``: then the question is about everything that its reviewed description lets this action reach, and every
part must be allowed. Of what the caller tells, only ``level`` is heard, and it can only raise the description's.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictStr
from sqlmodel import Session

from authz import subject
from authz.application import Catalogue, KnownResource
from authz.decision import PolicyDecisionPoint
from authz.errors import BadEvaluation
from authz.events import actor, shortened
from core.access import ContextValue, Decision, DecisionRequest
from core.identity import DomainId, Principal, RequestId
from core.registry.level import Classification
from core.registry.models import System

#: The two kinds of subject.
CERTIFICATE, PERSON = "certificate", "person"

SYSTEM = "system"


class _Part(BaseModel):
    """AuthZEN lets a caller send more than is understood (section 5): it is ignored."""

    model_config = ConfigDict(extra="ignore")

    properties: dict[str, JsonValue] = Field(default_factory=dict)


class Entity(_Part):
    """A subject or a resource (sections 5.1 and 5.2)."""

    type: StrictStr = Field(min_length=1, max_length=80)
    id: StrictStr = Field(min_length=1, max_length=200)


class Action(_Part):
    """An action (section 5.3)."""

    name: StrictStr = Field(min_length=1, max_length=160)


class EvaluationRequest(BaseModel):
    """An access evaluation request (section 6.1)."""

    model_config = ConfigDict(extra="ignore")

    subject: Entity
    action: Action
    resource: Entity
    context: dict[str, JsonValue] = Field(default_factory=dict)


class EvaluationContext(BaseModel):
    """Why, for those who enforce the answer and for the person."""

    reason: str
    policies: list[str]
    explanation: str
    ask: str
    request_id: str


class EvaluationResponse(BaseModel):
    """An access evaluation response (section 6.2)."""

    decision: bool
    context: EvaluationContext


@dataclass(frozen=True, slots=True)
class Question:
    """A subject, an action and a resource, each by name; ``level`` raises the resource's own."""

    subject_type: str
    subject: str
    action: str
    resource_type: str
    resource: str
    level: int = 0


def question(request: EvaluationRequest) -> Question:
    """Return what ``request`` asks. Raises ``BadEvaluation``."""
    if request.subject.type not in (CERTIFICATE, PERSON):
        raise BadEvaluation(
            f"a subject is a `{CERTIFICATE}` or a `{PERSON}`, not a `{shortened(request.subject.type)}`"
        )
    return Question(
        subject_type=request.subject.type,
        subject=request.subject.id,
        action=request.action.name,
        resource_type=request.resource.type,
        resource=request.resource.id,
        level=_level({**request.context, **request.resource.properties}),
    )


def _level(said: Mapping[str, JsonValue]) -> int:
    value = said.get("level", 0)
    if isinstance(value, bool) or not isinstance(value, int) or value not in list(Classification):
        highest = max(Classification)
        raise BadEvaluation(f"`level` is a number from 0 to {int(highest)}")
    return value


def evaluate(point: PolicyDecisionPoint, asked: Question, *, asked_by: Principal) -> Decision:
    """Decide and record (``PolicyDecisionPoint.decide_all``). Raises ``NotRecorded`` when it cannot be recorded."""

    def find(session: Session, at: datetime) -> list[DecisionRequest]:
        return requests(session, point.catalogue, asked, at)

    decision = point.decide_all(find, asked_by=actor(asked_by))
    # A crash here leaves the record of an answer that nobody got: the caller asks again, and that is recorded too.
    return decision  # noqa: RET504  # what is said here stands between


def requests(session: Session, catalogue: Catalogue, asked: Question, at: datetime) -> list[DecisionRequest]:
    """Return one request for each resource that ``asked`` is about, the most sensitive first; at least one."""
    principal = _principal(session, asked, at)
    context: dict[str, ContextValue] = {"level": asked.level}
    identifier = RequestId(secrets.token_hex(16))

    def request(resource_type: str, resource: str, domain: str) -> DecisionRequest:
        return DecisionRequest(
            principal=principal,
            action=asked.action,
            resource_type=resource_type,
            resource_id=resource,
            domain=DomainId(domain),
            request_id=identifier,
            context=context,
        )

    known = _known(catalogue, asked)
    if known:
        return [request(one.resource.type, one.resource.id, one.domain) for one in known]
    return [request(asked.resource_type, asked.resource, _home(session, asked))]


def _principal(session: Session, asked: Question, at: datetime) -> Principal:
    if asked.subject_type == CERTIFICATE:
        return subject.by_serial(session, asked.subject)
    return subject.by_person(session, asked.subject, at)


def _known(catalogue: Catalogue, asked: Question) -> list[KnownResource]:
    if asked.resource_type != SYSTEM:
        found = catalogue.resources.get((asked.resource_type, asked.resource))
        return [found] if found else []
    keys = {
        (route.resource.type, route.resource.id)
        for application in catalogue.hosts.values()
        for route in application.routes
        if application.system == asked.resource and route.action == asked.action
    }
    reached = [catalogue.resources[key] for key in keys]
    return sorted(reached, key=lambda one: (-one.resource.level, one.resource.type, one.resource.id))


def _home(session: Session, asked: Question) -> str:
    # No route does this: the refusal still names the domain, so that it can say who is in charge there.
    found = session.get(System, asked.resource) if asked.resource_type == SYSTEM else None
    return found.domain if found else ""
