"""Explain a decision without making it: whoever may ask about somebody else leaves a record of having asked."""

import re
from dataclasses import dataclass

from sqlmodel import Session

from authz import authzen, engine
from authz.authzen import CERTIFICATE, PERSON, SYSTEM, Question
from authz.decision import Evaluation, PolicyDecisionPoint
from authz.errors import BadEvaluation
from authz.events import DECISION_EXPLAINED, actor, shortened
from authz.policy import PolicyText
from core.access import Decision, DecisionRequest
from core.clock import Clock
from core.identity import Principal
from core.ledger import evidence
from core.ledger.entry import Event
from core.registry.level import Classification

_SERIAL = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One policy alone: whether it applies to the question."""

    text: PolicyText
    applies: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer that would be given, and every policy that would be asked."""

    decision: Decision
    outcomes: tuple[Outcome, ...]


def question(*, who: str, action: str, what: str, level: str) -> Question:
    """Read a person's question: a serial number or an id, a system or ``type/id``, the word of a level.

    Raises ``BadEvaluation``.
    """
    levels = {one.name.lower(): one for one in Classification}
    if level.lower() not in levels:
        raise BadEvaluation(f"`{shortened(level)}` is no level", hint=f"one of {', '.join(levels)}")
    kind, slash, identifier = what.partition("/")
    return Question(
        subject_type=CERTIFICATE if _SERIAL.fullmatch(who.lower()) else PERSON,
        subject=who.lower() if _SERIAL.fullmatch(who.lower()) else who,
        action=action,
        resource_type=kind if slash else SYSTEM,
        resource=identifier if slash else what,
        level=int(levels[level.lower()]),
    )


def explain(point: PolicyDecisionPoint, clock: Clock, asked: Question, *, asked_by: Principal) -> Explanation:
    """Return what the decision would be now. The record says who asked about whom; nothing is decided."""

    def unit(session: Session) -> tuple[Decision, Evaluation]:
        at = clock.now()
        for request in authzen.requests(session, point.catalogue, asked, at):
            evaluation = point.evaluate(session, request, at=at)
            decision = point.explain(session, request, evaluation, at=at)
            if not decision.allowed:
                break
        evidence.append(session, _event(request, decision, asked_by), at=at)
        return decision, evaluation

    decision, evaluation = point.record(unit)
    # A crash here leaves the record of an explanation that nobody read.
    return Explanation(decision, _outcomes(point, evaluation))


def _outcomes(point: PolicyDecisionPoint, evaluation: Evaluation) -> tuple[Outcome, ...]:
    if evaluation.slice is None or evaluation.question is None:
        return ()
    found = []
    for name, alone in evaluation.slice.single.items():
        verdict = engine.decide(alone, evaluation.question, evaluation.entities)
        found.append(Outcome(point.policies.texts[name], applies=name in verdict.policies))
    return tuple(found)


def _event(request: DecisionRequest, decision: Decision, asked_by: Principal) -> Event:
    return Event(
        type=DECISION_EXPLAINED,
        actor=actor(asked_by),
        object=f"person:{request.principal.identifier}",
        domain=shortened(request.domain, 60),
        details={
            "action": shortened(request.action),
            "resource": shortened(f"{request.resource_type}/{request.resource_id}"),
            "reason": decision.reason,
            "serial": request.principal.serial,
        },
    )
