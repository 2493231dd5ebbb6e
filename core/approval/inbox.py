"""What waits for whom, and what became of it: a reader sees what concerns them, the auditor sees all."""

from datetime import datetime

from sqlmodel import Session, col, or_, select

from core.approval import content, eligibility, steps
from core.approval.acts import Acts
from core.approval.eligibility import Case, Eligible
from core.approval.errors import UnknownApproval
from core.approval.models import Approval, ApprovalStep
from core.approval.state import State
from core.errors import TrustError
from core.identity import PersonId
from core.registry import role

#: Whoever audits sees every proposal.
_AUDITOR = "auditor"


def waiting_for(session: Session, acts: Acts, who: PersonId, at: datetime) -> list[Approval]:
    """Return the proposals that ``who`` could decide on now, and their own that were returned to them; oldest first."""
    open_ones = [row for row in _open(session) if steps.state_at(row, at) == row.state]
    return [row for row in open_ones if _awaits(session, acts, row, who, at)]


def find(session: Session, acts: Acts, who: PersonId, at: datetime, *, state: str, limit: int) -> list[Approval]:
    """Return proposals that ``who`` may see, newest first; in ``state``, or in any when it is empty."""
    statement = select(Approval).order_by(col(Approval.proposed_at).desc(), col(Approval.id)).limit(limit)
    if state:
        statement = statement.where(Approval.state == state)
    if _AUDITOR not in role.on_site(session, who, at):
        touched = select(ApprovalStep.approval).where(ApprovalStep.person == who)
        mine = [row.id for row in waiting_for(session, acts, who, at)]
        statement = statement.where(or_(col(Approval.id).in_(touched), col(Approval.id).in_(mine)))
    return list(session.exec(statement))


def get(session: Session, acts: Acts, who: PersonId, identifier: str, at: datetime) -> Approval:
    """Return one proposal. Raises ``UnknownApproval``, also for what ``who`` has nothing to do with."""
    row = session.get(Approval, identifier)
    if row is None or not _sees(session, acts, row, who, at):
        raise UnknownApproval(f"no proposal `{identifier[:40]}` concerns you", hint="see `guosuo approval list`")
    return row


def deciders(session: Session, acts: Acts, row: Approval, at: datetime) -> list[Eligible]:
    """Return who could decide on a proposal now; nobody when it no longer waits or its object is gone."""
    if steps.state_at(row, at) != State.WAITING:
        return []
    ruling, code = acts.get(row.act)
    try:
        concern = code.concern(session, steps.body(session, row), at)
    except TrustError:
        # What it was about is gone: whoever approves is told so; nobody is named.
        return []
    done = {step.person for step in history(session, row) if (step.revision, step.step) == (row.revision, "approved")}
    case = Case(ruling, concern, row.proposer, content.name(row.id), at)
    able = eligibility.approvers(session, case)
    return [one for one in able if one.person not in done]


def consequences(session: Session, acts: Acts, row: Approval, at: datetime) -> list[str]:
    """Say what would happen now; nothing when the proposal no longer waits, why not when it would be refused."""
    if steps.state_at(row, at) not in (State.WAITING, State.RETURNED):
        return []
    try:
        return acts.get(row.act)[1].consequences(session, steps.body(session, row), at)
    except TrustError as refused:
        return [f"it would be refused: {refused.detail}"]


def history(session: Session, row: Approval) -> list[ApprovalStep]:
    """Return everything that people did to a proposal, in order."""
    statement = select(ApprovalStep).where(ApprovalStep.approval == row.id)
    return list(session.exec(statement.order_by(col(ApprovalStep.at), col(ApprovalStep.revision))))


def _open(session: Session) -> list[Approval]:
    waiting = col(Approval.state).in_((State.WAITING.value, State.RETURNED.value))
    return list(session.exec(select(Approval).where(waiting).order_by(col(Approval.proposed_at))))


def _awaits(session: Session, acts: Acts, row: Approval, who: str, at: datetime) -> bool:
    if row.state == State.RETURNED:
        return row.proposer == who
    return who in {one.person for one in deciders(session, acts, row, at)}


def _sees(session: Session, acts: Acts, row: Approval, who: PersonId, at: datetime) -> bool:
    if _AUDITOR in role.on_site(session, who, at) or who == row.proposer:
        return True
    if who in {step.person for step in history(session, row)}:
        return True
    return steps.state_at(row, at) == row.state and _awaits(session, acts, row, who, at)
