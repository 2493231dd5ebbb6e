"""The ports of access: who is this certificate, and may they. Implemented above, joined in ``deploy/wiring.py``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.identity import DomainId, Principal, RequestId

#: Values that a decision's context may carry.
ContextValue = str | int | bool


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """One question: may ``principal`` do ``action`` to the resource? ``domain`` is the resource's security domain."""

    principal: Principal
    action: str
    resource_type: str
    resource_id: str
    domain: DomainId
    request_id: RequestId
    context: Mapping[str, ContextValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer that is already recorded when it is returned.

    ``reason`` is one of ``permitted no-permit forbidden error invalid``; ``policies`` are the ids that decided;
    ``explanation`` is a sentence for the person who was refused, ``ask`` who could give what is missing.
    """

    allowed: bool
    reason: str
    explanation: str
    policies: tuple[str, ...]
    ask: str
    request_id: RequestId


class Authenticator(Protocol):
    """Turns a peer certificate into a principal."""

    def authenticate(self, certificate: bytes) -> Principal:
        """Validate the DER ``certificate`` now: path, status, register. Raises ``Unauthenticated`` with its reason."""
        ...


class DecisionPoint(Protocol):
    """Decides and records; commits its own record before it answers."""

    def decide(self, request: DecisionRequest) -> Decision:
        """Return the recorded answer. Raises ``Unavailable`` when it cannot be recorded: no record, no act."""
        ...


class Foresight(Protocol):
    """Says beforehand what would be permitted, so that a page offers nothing that is refused; proves nothing."""

    def allowed(self, principal: Principal, actions: Sequence[str]) -> frozenset[str]:
        """Return those of ``actions`` that ``principal`` could do on the installation now; nothing is recorded."""
        ...
