"""What somebody could do, by the very policies that decide; never on record, never enough for an act."""

from collections.abc import Sequence

from authz.decision import PolicyDecisionPoint
from core.access import DecisionRequest
from core.clock import Clock
from core.database import Database
from core.identity import SITE, Principal, RequestId


class PolicyForesight:
    """Implements ``core.access.Foresight``."""

    def __init__(self, *, database: Database, clock: Clock, decisions: PolicyDecisionPoint) -> None:
        """Ask ``decisions`` without letting it record."""
        self._database = database
        self._clock = clock
        self._decisions = decisions

    def allowed(self, principal: Principal, actions: Sequence[str]) -> frozenset[str]:
        """Return those of ``actions`` that would be permitted now."""
        at = self._clock.now()
        with self._database.read() as session:
            return frozenset(
                action
                for action in actions
                if self._decisions.evaluate(session, _request(principal, action), at=at).verdict.allowed
            )


def _request(principal: Principal, action: str) -> DecisionRequest:
    return DecisionRequest(principal, action, "installation", "site", SITE, RequestId("0" * 32))
