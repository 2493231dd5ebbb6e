"""The decision point: evaluate, record, commit, and only then answer.

One write transaction reads the register, evaluates and appends the record, so no change of the register can come
between what was decided on and what was recorded. What cannot be recorded is not answered. Decisions that come at the
same moment may share a transaction (``core/ledger/group.py``): each is answered after its commit all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from authz import engine, entities, explain, status
from authz.application import Catalogue
from authz.errors import NotRecorded
from authz.events import DECISION_MADE, actor, shortened
from authz.policy import Policies, Slice
from core.access import Decision, DecisionRequest
from core.clock import Clock
from core.database import Database
from core.identity import SITE
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.fast import FastMode
from core.ledger.group import GroupCommit
from core.registry.models import SecurityDomain

Answer = TypeVar("Answer")

#: Says what is asked, in the session and at the time of the decision; at least one thing.
Find = Callable[[Session, datetime], Sequence[DecisionRequest]]

#: From this level of protection on (GB/T 22240) a decision is answered only once it is stored.
STRICT_LEVEL = 3

#: Permissions whose use leaves a record of its own in the same request, naming the device that asked: recording the
#: permission as well would double the evidence of each request at a gateway, and note each heartbeat of a sensor,
#: without saying more.
_RECORDED_BY_THE_ACT = frozenset({"authz:gateway:decide", "authz:decision:evaluate", "monitor:finding:report"})

#: What somebody may do who holds two offices that exclude each other: see who they are.
_ALWAYS = frozenset({"self:identity:read"})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An answer before it is recorded; what is ``None`` was never evaluated."""

    verdict: engine.Verdict
    object: str
    clearance: int = 0
    slice: Slice | None = None
    question: engine.Question | None = None
    entities: tuple[engine.Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision and what the gateway tells the application about the person."""

    decision: Decision
    clearance: int


class PolicyDecisionPoint:
    """Implements ``core.access.DecisionPoint``."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        policies: Policies,
        catalogue: Catalogue | None = None,
        group: GroupCommit | None = None,
        fast: FastMode | None = None,
    ) -> None:
        """Decide by ``policies`` about the installation and about the resources in ``catalogue``.

        ``group`` is the way into the evidence for all writers of this process; without it there is no other writer.
        ``fast`` says where an application is answered before its record is stored; nowhere without it.
        """
        self._database = database
        self._fast = fast
        self._group = group or GroupCommit(database)
        self._clock = clock
        self.policies = policies
        self.catalogue = catalogue or Catalogue()

    def decide(self, request: DecisionRequest) -> Decision:
        """Return the answer once its record is committed. Raises ``NotRecorded`` when it cannot be."""
        decided = self.record(lambda session: self.decide_within(session, request, at=self._clock.now()))
        # A crash here leaves a record of an answer that nobody got: the caller asks again, and that is recorded too.
        return decided.decision

    def decide_all(self, find: Find, *, asked_by: str) -> Decision:
        """Decide what ``find`` says is asked, one after the other until one is refused; return the last answer.

        It is recorded and committed, or, where every domain concerned is in fast mode, about to be. Raises as
        ``record`` does, and ``QueueFull``.
        """
        answer = None if self._fast is None else self._decide_fast(self._fast, find, asked_by)
        return answer or self.record(lambda session: self._decide_strictly(session, find, asked_by))

    def _decide_strictly(self, session: Session, find: Find, asked_by: str) -> Decision:
        at = self._clock.now()
        decision, events = self._judge(session, find(session, at), at, asked_by)
        for event in events:
            evidence.append(session, event, at=at)
        return decision

    def _decide_fast(self, fast: FastMode, find: Find, asked_by: str) -> Decision | None:
        at = self._clock.now()
        with self._database.read() as session:
            requests = find(session, at)
            if not all(_is_fast(session, fast, request.domain) for request in requests):
                return None
            decision, events = self._judge(session, requests, at, asked_by)
        for event in events:
            # Said in the record: it may be numbered after a revocation that came between answer and store.
            fast.queue.put(replace(event, details={**event.details, "fast": True}), at=at)
        return decision

    def _judge(
        self, session: Session, requests: Sequence[DecisionRequest], at: datetime, asked_by: str
    ) -> tuple[Decision, list[Event]]:
        events, decision = [], None
        for request in requests:
            evaluation = self.evaluate(session, request, at=at)
            events.append(self._event(request, evaluation, asked_by))
            decision = self.explain(session, request, evaluation, at=at)
            if not decision.allowed:
                break
        assert decision is not None
        return decision, events

    def record(self, unit: Callable[[Session], Answer]) -> Answer:
        """Run ``unit``, which evaluates and appends the record, and return its answer once it is committed.

        Raises ``NotRecorded`` when the store refuses it, and what ``unit`` raises: then nothing of it is stored.
        """
        try:
            return self._group.run(unit)
        except SQLAlchemyError as error:
            hint = "nothing was decided and nothing was done; see `guosuo doctor`"
            raise NotRecorded("the decision cannot be recorded", hint=hint) from error

    def decide_within(
        self, session: Session, request: DecisionRequest, *, at: datetime, asked_by: str = ""
    ) -> RecordedDecision:
        """Evaluate and append the record in the caller's write transaction; the caller answers after its commit.

        ``asked_by`` is who put the question when that is not the principal itself.
        """
        evaluation = self.evaluate(session, request, at=at)
        if not evaluation.verdict.allowed or request.action not in _RECORDED_BY_THE_ACT:
            evidence.append(session, self._event(request, evaluation, asked_by), at=at)
        return RecordedDecision(self.explain(session, request, evaluation, at=at), evaluation.clearance)

    def explain(self, session: Session, request: DecisionRequest, evaluation: Evaluation, *, at: datetime) -> Decision:
        """Put an evaluation into words: why, and who could change it."""
        verdict = evaluation.verdict
        candidates = evaluation.slice.single if evaluation.slice else ()
        return Decision(
            allowed=verdict.allowed,
            reason=verdict.reason,
            explanation=explain.sentence(request, verdict, self.policies.texts, candidates),
            policies=verdict.policies,
            ask="" if verdict.allowed else explain.ask(session, request, self.catalogue, at),
            request_id=request.request_id,
        )

    def evaluate(self, session: Session, request: DecisionRequest, *, at: datetime) -> Evaluation:
        """Evaluate without recording; only for explanations, an act needs ``decide``."""
        found = self._resource(session, request)
        if found is None:
            return _invalid(f"domain:{shortened(request.domain, 60)}", "unknown-resource")
        name, resource, belongings = found
        reason = status.refusal(session, request.principal, at)
        if reason:
            return Evaluation(engine.Verdict(allowed=False, reason=reason), name)
        subject = entities.find_subject(session, request.principal, at)
        if subject is None:
            return _invalid(name, "unknown-subject")
        if subject.conflict is not None and request.domain == SITE and request.action not in _ALWAYS:
            # Assignment refuses such a pair; it came by a restore or by somebody's hand, and nothing is done with it.
            verdict = engine.Verdict(allowed=False, reason="separation-of-duties", errors=subject.conflict)
            return Evaluation(verdict, name, subject.clearance)
        part = self.policies.find(request.domain, request.action)
        if part is None:
            verdict = engine.Verdict(allowed=False, reason="no-permit")
            return Evaluation(verdict, name, subject.clearance)
        question = engine.Question(subject.uid, request.action, resource)
        involved = entities.merge(subject.entities, belongings)
        verdict = engine.decide(part.whole, question, involved)
        return Evaluation(verdict, name, subject.clearance, part, question, tuple(involved))

    def _resource(
        self, session: Session, request: DecisionRequest
    ) -> tuple[str, engine.Uid, tuple[engine.Entity, ...]] | None:
        if request.domain == SITE:
            known_site = (request.resource_type, request.resource_id) == ("installation", SITE)
            return (f"installation:{SITE}", *entities.installation()) if known_site else None
        known = self.catalogue.resources.get((request.resource_type, request.resource_id))
        # The level comes from the reviewed description alone, whoever asks: a caller cannot talk a resource down.
        if known is None or known.domain != request.domain:
            return None
        # It can be talked up: an application knows of a document what its description cannot.
        level = max(known.resource.level, _claimed_level(request))
        found = entities.find_resource(session, replace(known, resource=replace(known.resource, level=level)))
        return (f"system:{known.system}", *found) if found else None

    def _event(self, request: DecisionRequest, evaluation: Evaluation, asked_by: str) -> Event:
        verdict = evaluation.verdict
        details = {
            "action": shortened(request.action),
            "resource": shortened(f"{request.resource_type}/{request.resource_id}"),
            "reason": verdict.reason,
            "policies": list(verdict.policies),
            "errors": [shortened(error) for error in verdict.errors[:4]],
            "policy_digest": self.policies.digest,
            "request_id": request.request_id,
            "serial": request.principal.serial,
        }
        return Event(
            type=DECISION_MADE,
            actor=actor(request.principal),
            object=evaluation.object,
            domain=shortened(request.domain, 60),
            result="done" if verdict.allowed else "refused",
            details={**details, "asked_by": asked_by} if asked_by else details,
        )


def _is_fast(session: Session, fast: FastMode, domain: str) -> bool:
    """Say whether a domain is in fast mode. From level 3 on none is, whatever the settings say."""
    found = session.get(SecurityDomain, domain) if domain in fast.domains else None
    return found is not None and found.level < STRICT_LEVEL


def _claimed_level(request: DecisionRequest) -> int:
    claimed = request.context.get("level", 0)
    return claimed if isinstance(claimed, int) and not isinstance(claimed, bool) else 0


def _invalid(name: str, why: str) -> Evaluation:
    return Evaluation(engine.Verdict(allowed=False, reason="invalid", errors=(why,)), name)
