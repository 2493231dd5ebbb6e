"""Decide on a proposal: approve, return, reject. The last approval carries the act out in its own transaction.

Both people's rights are looked at again here, in this transaction: a role that ended, a certificate that was revoked or
a person who left since the proposal was made cannot lead to an act any more.
"""

from datetime import datetime

from sqlmodel import Session, col, select

from core.approval import content, eligibility, events, steps
from core.approval.acts import Acts
from core.approval.eligibility import Case
from core.approval.errors import NotYours
from core.approval.models import Approval, ApprovalStep
from core.approval.state import State
from core.rule import APPROVER
from core.signing import Peer, Signature

_APPROVED = "approved"


def approve(
    session: Session, acts: Acts, identifier: str, *, comment: str, peer: Peer, signature: Signature
) -> Approval:
    """Agree to exactly the newest revision; the last one needed carries it out. The same signed text again is no news.

    Raises ``BadSignature``, ``NotYours``, ``NotWaiting``, ``Unavailable``.
    """
    row, peer = steps.turn(session, identifier, peer)
    word = steps.word(session, row, content.APPROVE, comment, peer=peer, signature=signature)
    if (known := steps.find(session, word.proof)) is not None:
        return known
    case = _case(session, acts, row, peer)
    earlier = _approvals(session, row)
    _check_both(session, case, row, earlier, peer)
    steps.note(session, row, word, _APPROVED)
    events.decided(session, events.APPROVED, row, word)
    if len(earlier) + 1 < row.needed:
        return row
    return steps.carry_out(session, acts, row, approver=word.person, at=peer.at)


def return_(
    session: Session, acts: Acts, identifier: str, *, comment: str, peer: Peer, signature: Signature
) -> Approval:
    """Give a proposal back to its proposer, to be corrected; ``comment`` says what is wrong with it."""
    row, peer = steps.turn(session, identifier, peer)
    word = steps.word(session, row, content.RETURN, comment, peer=peer, signature=signature)
    if (known := steps.find(session, word.proof)) is not None:
        return known
    _case(session, acts, row, peer)
    steps.note(session, row, word, "returned")
    events.decided(session, events.RETURNED, row, word)
    row.state = State.RETURNED.value
    session.add(row)
    session.flush()
    return row


def reject(
    session: Session, acts: Acts, identifier: str, *, comment: str, peer: Peer, signature: Signature
) -> Approval:
    """Refuse a proposal for good; ``comment`` says why."""
    row, peer = steps.turn(session, identifier, peer)
    word = steps.word(session, row, content.REJECT, comment, peer=peer, signature=signature)
    if (known := steps.find(session, word.proof)) is not None:
        return known
    _case(session, acts, row, peer)
    steps.note(session, row, word, "rejected")
    events.decided(session, events.REJECTED, row, word)
    return steps.conclude(session, row, State.REJECTED, comment, peer.at)


def expire(session: Session, at: datetime) -> int:
    """End every proposal that waited too long; return how many. Needs no signature: time has passed, nobody acted."""
    waiting = col(Approval.state).in_((State.WAITING.value, State.RETURNED.value))
    statement = select(Approval).where(waiting, Approval.expires <= at).order_by(Approval.id).with_for_update()
    late = list(session.exec(statement))
    for row in late:
        events.concluded(session, events.EXPIRED, row, actor=steps.CLOCK, outcome={}, at=at)
        steps.conclude(session, row, State.EXPIRED, "nobody decided in time", at)
    return len(late)


def _case(session: Session, acts: Acts, row: Approval, peer: Peer) -> Case:
    """Check that the peer may decide on the proposal, and that it waits."""
    ruling, code = acts.get(row.act)
    concern = code.concern(session, steps.body(session, row), peer.at)
    case = Case(ruling, concern, row.proposer, content.name(row.id), peer.at)
    eligibility.check_approver(session, case, peer.principal.identifier, peer.principal.serial)
    steps.check_open(row, peer.at, State.WAITING)
    return case


def _check_both(session: Session, case: Case, row: Approval, earlier: list[ApprovalStep], peer: Peer) -> None:
    """Check everybody else whose word this act stands on, again and now."""
    eligibility.check_proposer(session, case, steps.current(session, row).serial)
    for step in earlier:
        if step.person == peer.principal.identifier:
            raise NotYours("you have agreed already: another person must", rule=str(APPROVER), about=case.about)
        eligibility.check_approver(session, case, step.person, step.serial)


def _approvals(session: Session, row: Approval) -> list[ApprovalStep]:
    statement = select(ApprovalStep).where(
        ApprovalStep.approval == row.id, ApprovalStep.revision == row.revision, ApprovalStep.step == _APPROVED
    )
    return list(session.exec(statement.order_by(col(ApprovalStep.at))))
