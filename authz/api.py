"""Decisions over HTTP: AuthZEN 1.0, the explanation for people, and nginx's ``auth_request``."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from authz import authzen, explanation
from authz.authzen import EvaluationContext, EvaluationRequest, EvaluationResponse
from authz.decision import PolicyDecisionPoint
from authz.gateway import Gateway, GatewayAnswer, GatewayQuestion
from authz.refusal import page_text
from core.clock import Clock
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission, public
from core.provision import provided

router = APIRouter(route_class=EnforcedRoute, tags=["decisions"])

Point = Annotated[PolicyDecisionPoint, Depends(provided(PolicyDecisionPoint))]
Store = Annotated[Database, Depends(provided(Database))]
Time = Annotated[Clock, Depends(provided(Clock))]

#: A caller's own name for its request, which AuthZEN wants back (section 10.1.3).
_REQUEST_NAME = re.compile(r"[\x21-\x7e]{1,128}")


class ExplanationRequest(BaseModel):
    """May ``who`` (serial number or person) do ``action`` to ``what`` (a system, or ``type/id``), and why?"""

    model_config = ConfigDict(extra="forbid")

    who: str = Field(min_length=1, max_length=80)
    action: str = Field(min_length=1, max_length=160)
    what: str = Field(min_length=1, max_length=200)
    level: str = Field(default="public", max_length=20)


class PolicyOutcome(BaseModel):
    """One policy by itself: whether it ``applies`` to the question."""

    id: str
    title: str
    basis: str
    effect: str
    applies: bool


class ExplanationAnswer(BaseModel):
    """The answer, the policies that decided, who could give what is missing, and every policy that was asked."""

    allowed: bool
    reason: str
    explanation: str
    policies: list[str]
    ask: str
    asked: list[PolicyOutcome]


@router.post("/access/v1/evaluation")
@permission("authz:decision:evaluate")
def evaluate(
    body: EvaluationRequest,
    request: Request,
    response: Response,
    principal: Acting,
    point: Point,
) -> EvaluationResponse:
    """Decide (AuthZEN 1.0 section 6)."""
    name = request.headers.get("x-request-id", "")
    if _REQUEST_NAME.fullmatch(name):
        response.headers["X-Request-ID"] = name
    decision = authzen.evaluate(point, authzen.question(body), asked_by=principal)
    context = EvaluationContext(
        reason=decision.reason,
        policies=list(decision.policies),
        explanation=decision.explanation,
        ask=decision.ask,
        request_id=decision.request_id,
    )
    return EvaluationResponse(decision=decision.allowed, context=context)


@router.get("/.well-known/authzen-configuration")
@public
def configuration(request: Request) -> dict[str, str]:
    """Say where the decision point is (AuthZEN 1.0 section 9)."""
    base = str(request.base_url).rstrip("/")
    return {"policy_decision_point": base, "access_evaluation_endpoint": f"{base}/access/v1/evaluation"}


@router.post("/api/v1/decision/explanation")
@permission("authz:decision:explain")
def explain(body: ExplanationRequest, principal: Acting, point: Point, clock: Time) -> ExplanationAnswer:
    """Explain whether somebody may do something, by which policy, or what is missing and who could give it."""
    asked = explanation.question(who=body.who, action=body.action, what=body.what, level=body.level)
    found = explanation.explain(point, clock, asked, asked_by=principal)
    decision = found.decision
    return ExplanationAnswer(
        allowed=decision.allowed,
        reason=decision.reason,
        explanation=decision.explanation,
        policies=list(decision.policies),
        ask=decision.ask,
        asked=[
            PolicyOutcome(
                id=one.text.identifier,
                title=one.text.title,
                basis=one.text.basis,
                effect=one.text.effect,
                applies=one.applies,
            )
            for one in found.outcomes
        ],
    )


@router.get("/gateway/v1/nginx")
@permission("authz:gateway:decide")
def decide_for_nginx(
    request: Request, principal: Acting, gateway: Annotated[Gateway, Depends(provided(Gateway))]
) -> Response:
    """Answer nginx's ``auth_request``: 200, 401 or 403 without a body, everything else in headers."""
    said = request.headers
    question = GatewayQuestion(
        request_id=said.get("x-guosuo-request", ""),
        host=said.get("x-guosuo-host", ""),
        method=said.get("x-guosuo-method", ""),
        target=said.get("x-guosuo-target", ""),
        certificate=said.get("x-guosuo-certificate", ""),
        address=said.get("x-guosuo-address", ""),
        handshake_refused=said.get("x-guosuo-handshake", "") != "",
    )
    answer = gateway.decide(question, gateway=principal)
    return Response(status_code=answer.status, headers=dict(_headers(answer)))


def _headers(answer: GatewayAnswer) -> Mapping[str, str]:
    told = {"X-Guosuo-Reason": answer.reason, "X-Guosuo-Request": answer.request_id}
    if answer.identity is None:
        return {**told, "X-Guosuo-Explanation": page_text(answer.explanation), "X-Guosuo-Ask": page_text(answer.ask)}
    who = answer.identity.principal
    return {
        **told,
        "X-Guosuo-Serial": who.serial,
        "X-Guosuo-Kind": who.kind.value,
        "X-Guosuo-Person": quote(who.identifier, safe=""),
        "X-Guosuo-Name": quote(who.name, safe=""),
        "X-Guosuo-Organisation": quote(who.organisation, safe=""),
        "X-Guosuo-Department": quote(answer.identity.department, safe=""),
        "X-Guosuo-Domain": quote(who.domain, safe=""),
        "X-Guosuo-Clearance": str(answer.identity.clearance),
    }
