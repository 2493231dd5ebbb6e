"""The decision for one request at a gateway: who shows this certificate, what do they ask for, and may they.

1. The certificate is judged by our own path validation, which names the reason of every refusal.
2. Host, method and target are mapped to an action by the reviewed description; what is not mapped is refused.
3. One write transaction decides and records the request; only after its commit is anything answered.

A gateway is trusted to pass on what it saw, and no more: a request's id that comes twice, or has another form, is
refused. What a stranger can write into a record is cut to a fixed size; how often a stranger can ask is limited by the
gateway (``authz/nginx.py``).
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from authz import explain, peer, target
from authz.application import Application, Route
from authz.decision import PolicyDecisionPoint
from authz.errors import BadQuestion, NotRecorded
from authz.events import ANONYMOUS, GATEWAY_REQUEST_REFUSED, actor, shortened
from authz.models import GatewayRequest
from core.access import Authenticator, DecisionRequest
from core.clock import Clock
from core.errors import TrustError, Unauthenticated
from core.identity import Principal, RequestId
from core.ledger import evidence
from core.ledger.body import Body
from core.ledger.entry import Event
from core.registry.models import Organisation

#: Reasons that a certificate is refused for in the transaction of the decision itself: it was good a moment before.
_STATUS_REASONS = frozenset({"on-hold", "revoked", "expired", "not-yet-valid", "unknown-certificate", "no-certificate"})

_REQUEST_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class GatewayQuestion:
    """One request as the gateway saw it. ``certificate`` is the peer's, percent-encoded PEM, empty without one.

    ``target`` is the raw request target, ``handshake_refused`` says that TLS itself found the certificate bad: then the
    answer can only be no, and the question is why.
    """

    request_id: str
    host: str
    method: str
    target: str
    certificate: str
    address: str
    handshake_refused: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """What the application is told about who is asking; ``clearance`` is a ``Classification``."""

    principal: Principal
    department: str
    clearance: int


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """An answer that is already recorded. ``status`` is 200, 401 or 403, ``identity`` is there when it is 200."""

    status: int
    reason: str
    request_id: str
    identity: Identity | None = None
    explanation: str = ""
    ask: str = ""


@dataclass
class _Case:
    """A question on its way: what has been found out so far."""

    question: GatewayQuestion
    gateway: str
    at: datetime
    application: Application | None = None
    serial: str = ""
    principal: Principal | None = None
    route: Route | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why the request goes no further; ``status`` is 401 when it is about who asks, 403 when about what."""

    status: int
    reason: str
    explanation: str = ""
    ask: str = ""


class Gateway:
    """Answers gateways; every answer but that for a public path leaves a ``GatewayRequest`` and evidence."""

    def __init__(self, *, clock: Clock, authenticator: Authenticator, decisions: PolicyDecisionPoint) -> None:
        """Judge certificates by ``authenticator``, and requests by ``decisions`` and its catalogue."""
        self._clock = clock
        self._authenticator = authenticator
        self._decisions = decisions

    def decide(self, question: GatewayQuestion, *, gateway: Principal) -> GatewayAnswer:
        """Return the recorded answer. Raises ``BadQuestion``, and ``NotRecorded`` when no record can be made."""
        if not _REQUEST_ID.fullmatch(question.request_id):
            raise BadQuestion("the request's id is not 32 lower-case hexadecimal digits")
        application = self._decisions.catalogue.hosts.get(question.host)
        if application is not None and _is_public(application, question):
            return GatewayAnswer(200, "public", question.request_id)
        case = _Case(question, gateway.identifier, self._clock.now(), application)
        refusal = self._identify(case) or _map(case)
        try:
            return self._conclude(case, refusal)
        except NotRecorded as error:
            # Another question with this id was recorded between our look and our insert.
            if isinstance(error.__cause__, IntegrityError):
                return self._conclude(case, refusal)
            raise

    def _identify(self, case: _Case) -> _Refusal | None:
        if not case.question.certificate:
            return _Refusal(401, "no-certificate")
        try:
            der = peer.parse_certificate(case.question.certificate)
            case.serial = peer.claimed_serial(der)
            principal = self._authenticator.authenticate(der)
        except Unauthenticated as error:
            return _Refusal(401, error.word, error.detail)
        if case.question.handshake_refused:
            return _Refusal(401, "bad-certificate", "the gateway's own TLS refused the certificate")
        case.principal, case.serial = principal, principal.serial
        return None

    def _conclude(self, case: _Case, refusal: _Refusal | None) -> GatewayAnswer:
        answer = self._decisions.record(lambda session: self._answer(session, case, refusal))
        # A crash here leaves the record of a request that no gateway let through: asking again is another request.
        return answer  # noqa: RET504  # what is said here stands between

    def _answer(self, session: Session, case: _Case, refusal: _Refusal | None) -> GatewayAnswer:
        """Decide, unless it is refused already, and record the answer in the transaction of ``session``."""
        question, identity = case.question, None
        repeated = session.get(GatewayRequest, question.request_id) is not None
        if repeated:
            refusal = _Refusal(403, "repeated-request", "this request was answered before")
        elif refusal is None:
            refusal, identity = self._decide(session, case)
        if not repeated:
            session.add(_row(case, refusal))
        if refusal is None:
            return GatewayAnswer(200, "permitted", question.request_id, identity)
        evidence.append(session, _event(case, refusal), at=case.at, body=_written(case.question))
        contact = self._contact(session, case, refusal)
        return GatewayAnswer(
            refusal.status, refusal.reason, question.request_id, explanation=refusal.explanation, ask=contact
        )

    def _decide(self, session: Session, case: _Case) -> tuple[_Refusal | None, Identity | None]:
        principal, route, application = case.principal, case.route, case.application
        assert principal is not None
        assert route is not None
        assert application is not None
        request = DecisionRequest(
            principal=principal,
            action=route.action,
            resource_type=route.resource.type,
            resource_id=route.resource.id,
            domain=application.domain,
            request_id=RequestId(case.question.request_id),
        )
        decided = self._decisions.decide_within(session, request, at=case.at, asked_by=f"device:{case.gateway}")
        answer = decided.decision
        if not answer.allowed:
            status = 401 if answer.reason in _STATUS_REASONS else 403
            return _Refusal(status, answer.reason, answer.explanation, answer.ask), None
        organisation = session.get(Organisation, principal.organisation)
        department = organisation.name if organisation else principal.organisation
        return None, Identity(principal, department, decided.clearance)

    def _contact(self, session: Session, case: _Case, refusal: _Refusal | None) -> str:
        # Who answers for what is told to those who are known, not to strangers.
        if refusal is None or case.principal is None or case.application is None:
            return ""
        place = case.application
        return refusal.ask or explain.officer(session, place.system, place.domain, case.at)


def _is_public(application: Application, question: GatewayQuestion) -> bool:
    # Only the very octets: nothing is decoded here, and a query makes no difference.
    return question.method in ("GET", "HEAD") and question.target.partition("?")[0] in application.public


def _map(case: _Case) -> _Refusal | None:
    if case.application is None:
        return _Refusal(403, "unknown-host", "no application is described under this host")
    try:
        case.path = target.parse_target(case.question.target)
        case.route = case.application.find(case.question.method, case.path)
    except TrustError as error:
        return _Refusal(403, error.word, error.detail)
    if case.route is None:
        return _Refusal(403, "unmapped-path", "no reviewed description maps this path and method")
    return None


def _row(case: _Case, refusal: _Refusal | None) -> GatewayRequest:
    application, route = case.application, case.route
    return GatewayRequest(
        request_id=case.question.request_id,
        at=case.at,
        gateway=case.gateway,
        address=_address(case.question.address),
        serial=case.serial,
        person=case.principal.identifier if case.principal else "",
        application=application.app if application else "",
        system=application.system if application else "",
        domain=application.domain if application else "",
        action=route.action if route else "",
        resource=f"{route.resource.type}/{route.resource.id}" if route else "",
        allowed=refusal is None,
        reason="permitted" if refusal is None else refusal.reason[:40],
    )


def _event(case: _Case, refusal: _Refusal) -> Event:
    question, application = case.question, case.application
    return Event(
        type=GATEWAY_REQUEST_REFUSED,
        actor=actor(case.principal) if case.principal else ANONYMOUS,
        object=f"system:{application.system}" if application else f"gateway:{case.gateway}",
        domain=application.domain if application else "",
        result="refused",
        details={
            "reason": refusal.reason,
            "request_id": question.request_id,
            "gateway": case.gateway,
            "address": _address(question.address),
            "serial": case.serial,
            "authenticated": case.principal is not None,
        },
    )


def _written(question: GatewayQuestion) -> Body:
    """Return what a stranger wrote: it may name anybody, so it goes into the record's erasable body, not into it."""
    return {
        "host": shortened(question.host, 100),
        "method": shortened(question.method, 20),
        # A query may carry anything at all: it is left out.
        "path": shortened(question.target.partition("?")[0]),
    }


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))[:45]
    except ValueError:
        return ""
