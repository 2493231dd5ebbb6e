"""What every step on a proposal shares: the lock, the signature, the note, and the end it may lead to."""

import json
from datetime import datetime

from sqlmodel import Session, select

from core.approval import content, events
from core.approval.acts import Acts
from core.approval.errors import NotWaiting, UnknownApproval
from core.approval.models import Approval, ApprovalRevision, ApprovalStep
from core.approval.state import State
from core.approval.word import Word
from core.errors import TrustError, Unavailable
from core.identity import PersonId
from core.registry import responsibility, role
from core.signed import Json, SignedAct
from core.signing import Peer, Signature

#: Who acts when nobody does: time has passed.
CLOCK = "installation"


def turn(session: Session, identifier: str, peer: Peer) -> tuple[Approval, Peer]:
    """Wait for the peer's turn: return the proposal and the peer as they are when nobody else changes either any more.

    What rights rest on is held as well, then the proposal, as whoever leaves takes them. Raises ``UnknownApproval``.
    """
    hold_rights(session)
    return locked(session, identifier), peer.again()


def hold_rights(session: Session) -> None:
    """Let nobody else hand a post over or end an office: of two acts at once neither rests on what the other ends.

    Posts first, then offices, as whoever leaves takes them.
    """
    responsibility.hold_posts(session)
    role.hold_offices(session)


def locked(session: Session, identifier: str) -> Approval:
    """Return a proposal that nobody else changes before the caller's transaction ends. Raises ``UnknownApproval``."""
    statement = select(Approval).where(Approval.id == identifier).with_for_update()
    found = session.exec(statement.execution_options(populate_existing=True)).first()
    if found is None:
        raise UnknownApproval(f"no proposal `{identifier[:40]}`", hint="see `guosuo approval list`")
    return found


def current(session: Session, row: Approval) -> ApprovalRevision:
    """Return what is proposed at the newest revision."""
    found = session.get(ApprovalRevision, (row.id, row.revision))
    assert found is not None
    return found


def body(session: Session, row: Approval) -> dict[str, Json]:
    """Return the body of the newest revision."""
    found = json.loads(current(session, row).body)
    assert isinstance(found, dict)
    return found


def state_at(row: Approval, at: datetime) -> str:
    """Return where a proposal stands at a time: one that waited too long is expired before anybody notes it."""
    waits = row.state in (State.WAITING, State.RETURNED)
    return State.EXPIRED.value if waits and row.expires <= at else row.state


def check_open(row: Approval, at: datetime, *states: State) -> None:
    """Raise ``NotWaiting`` unless the proposal is in one of ``states`` (any that can still change, by default)."""
    now = state_at(row, at)
    if now not in (states or (State.WAITING, State.RETURNED)):
        raise NotWaiting(f"this proposal is {now}: nothing more can be decided on it", hint="propose it anew")


def word(session: Session, row: Approval, act: str, comment: str, *, peer: Peer, signature: Signature) -> Word:
    """Return the peer's signed word on exactly the newest revision. Raises ``BadSignature``."""
    digest = content.decision(proposal=current(session, row).digest, revision=row.revision, comment=comment)
    proof = peer.verify(signature, act=act, object_=content.name(row.id), digest=digest)
    return Word(proof, peer.principal.serial, comment, peer.at)


def find(session: Session, proof: SignedAct) -> Approval | None:
    """Return the proposal that this very statement was noted on before, or nothing."""
    step = session.get(ApprovalStep, proof.identifier)
    return None if step is None else session.get(Approval, step.approval)


def note(session: Session, row: Approval, said: Word, step: str) -> None:
    """Keep what a person did."""
    session.add(
        ApprovalStep(
            id=said.proof.identifier,
            approval=row.id,
            revision=row.revision,
            step=step,
            person=said.person,
            serial=said.serial,
            comment=said.comment,
            at=said.at,
        )
    )
    session.flush()


def conclude(session: Session, row: Approval, state: State, result: str, at: datetime) -> Approval:
    """End a proposal."""
    row.state, row.result, row.concluded_at = state.value, result[:1000], at
    session.add(row)
    session.flush()
    return row


def carry_out(session: Session, acts: Acts, row: Approval, *, approver: str, at: datetime) -> Approval:
    """Do what was agreed on, in the caller's transaction; what the act refuses is undone whole and kept as failed.

    Raises ``Unavailable`` when a part does not answer: then nothing was decided, and approving again may help.
    """
    _ruling, act = acts.get(row.act)
    try:
        with session.begin_nested():
            outcome = act.carry_out(session, body(session, row), PersonId(row.proposer), PersonId(approver), at)
    except Unavailable:
        raise
    except TrustError as refused:
        told = {"reason": refused.word, "rule": refused.rule, "approver": approver}
        events.concluded(session, events.FAILED, row, actor=approver, outcome=told, at=at)
        return conclude(session, row, State.FAILED, refused.detail, at)
    done: dict[str, Json] = {"approver": approver, "outcome": outcome}
    events.concluded(session, events.CARRIED_OUT, row, actor=approver, outcome=done, at=at)
    return conclude(session, row, State.DONE, "carried out", at)
