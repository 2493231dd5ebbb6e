"""What somebody holds in acts of two people (``core.registry.holding.Holder``): their own open proposals, which end."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.approval import events, steps
from core.approval.models import Approval, State
from core.identity import PersonId
from core.registry.holding import Holding


class Proposals:
    """Implements ``core.registry.holding.Holder``."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the open proposals of a person, or those about a domain."""
        column = {"person": col(Approval.proposer), "domain": col(Approval.domain)}.get(kind)
        return [] if column is None else [_holding(row) for row in session.exec(_open(column == identifier, at))]

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002  # nobody answers for what another person proposed
        actor: str,
        at: datetime,
    ) -> Sequence[Holding]:
        """Withdraw the person's open proposals: nothing may be carried out on the word of somebody who left."""
        rows = session.exec(_open(col(Approval.proposer) == person, at).with_for_update()).all()
        for row in rows:
            events.concluded(session, events.ENDED, row, actor=actor, outcome={"reason": "proposer-left"}, at=at)
            steps.conclude(session, row, State.WITHDRAWN, "its proposer left", at)
        return [_holding(row) for row in rows]


def _open(condition: ColumnElement[bool], at: datetime) -> SelectOfScalar[Approval]:
    waiting = col(Approval.state).in_((State.WAITING.value, State.RETURNED.value))
    return select(Approval).where(condition, waiting, Approval.expires > at).order_by(Approval.id)


def _holding(row: Approval) -> Holding:
    return Holding("proposal", row.id, f"{row.act} {row.object}", row.domain, ends=True)
