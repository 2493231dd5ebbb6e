"""What somebody holds in proposals (``core.registry.holding.Holder``): their own that wait; they end with them."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from core.approval import events, steps
from core.approval.models import Approval
from core.approval.state import State
from core.identity import PersonId
from core.registry.holding import Holding

#: The states in which a proposal can still change.
_OPEN = (State.WAITING.value, State.RETURNED.value)


class Proposals:
    """Implements ``core.registry.holding.Holder``."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the proposals that wait, of a person who made them or about a domain."""
        statement = select(Approval).where(col(Approval.state).in_(_OPEN), Approval.expires > at)
        match kind:
            case "person":
                statement = statement.where(Approval.proposer == identifier)
            case "domain":
                statement = statement.where(Approval.domain == identifier)
            case _:
                return []
        rows = session.exec(statement.order_by(Approval.id))
        return [Holding("proposal", row.id, f"{row.act} of {row.object}", row.domain, ends=True) for row in rows]

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002  # whoever follows proposes in their own name
        actor: str,
        at: datetime,
    ) -> Sequence[Holding]:
        """Withdraw what ``person`` proposed: nobody answers for it any more. What was concluded meanwhile stays so."""
        ended = []
        for one in self.holdings(session, "person", person, at):
            row = steps.locked(session, one.identifier)
            if row.state not in _OPEN:
                continue
            why = "its proposer left"
            events.concluded(session, events.WITHDRAWN, row, actor=actor, outcome={"why": why}, at=at)
            steps.conclude(session, row, State.WITHDRAWN, why, at)
            ended.append(one)
        return ended
