"""Looking beforehand (``acts.Look``), in a read transaction and before any signature: for whoever the act names alone.

Nobody else makes the service read the log: the act refuses them before it reads.
"""

from datetime import datetime

from sqlmodel import Session

from core.approval import eligibility, steps
from core.approval.acts import Acts, Body
from core.approval.eligibility import Case
from core.approval.models import Approval
from core.approval.state import State
from core.errors import TrustError
from core.identity import PersonId


def at_new(session: Session, acts: Acts, act: str, body: Body, *, who: PersonId, at: datetime) -> Acts:
    """Return ``acts`` with ``act`` having looked, for one who may propose it now."""
    case = _case(session, acts, act, body, proposer=who, at=at)
    if case is None or who not in {one.person for one in eligibility.proposers(session, case)}:
        return acts
    return acts.having_looked(session, act, body, at)


def at_corrected(session: Session, acts: Acts, identifier: str, body: Body, *, who: PersonId, at: datetime) -> Acts:
    """Return ``acts`` with that of an open proposal having looked at a corrected body, as ``at_new``."""
    row = _open(session, identifier, at)
    return acts if row is None else at_new(session, acts, row.act, body, who=who, at=at)


def at_kept(session: Session, acts: Acts, identifier: str, who: PersonId, at: datetime) -> Acts:
    """Return ``acts`` with that of an open proposal having looked, for one who may propose it or decide on it now."""
    row = _open(session, identifier, at)
    if row is None:
        return acts
    body = steps.body(session, row)
    case = _case(session, acts, row.act, body, proposer=row.proposer, at=at)
    if case is None:
        return acts
    able = [*eligibility.proposers(session, case), *eligibility.approvers(session, case)]
    return acts.having_looked(session, row.act, body, at) if who in {one.person for one in able} else acts


def _open(session: Session, identifier: str, at: datetime) -> Approval | None:
    row = session.get(Approval, identifier)
    return row if row is not None and steps.state_at(row, at) in (State.WAITING, State.RETURNED) else None


def _case(session: Session, acts: Acts, act: str, body: Body, *, proposer: str, at: datetime) -> Case | None:
    """Return the case to be looked at; nothing for an act or a body that is refused when it is the act's turn."""
    try:
        ruling, code = acts.get(act)
        concern = code.concern(session, body, at)
    except TrustError:
        return None
    return Case(ruling, concern, proposer, concern.object, at)
