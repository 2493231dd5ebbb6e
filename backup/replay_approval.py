"""Acts of two people, rebuilt from their records after a restore: what waited, waits again, with all that was signed.

What an act itself changed is rebuilt from its own records, never by carrying it out a second time.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlmodel import Session

from backup.mirror import Record
from core import signed
from core.approval.models import Approval, ApprovalRevision, ApprovalStep
from core.approval.state import State
from core.clock import from_rfc3339
from core.ledger.entry import JsonValue

_MADE, _AGAIN = "approval.proposal.made", "approval.proposal.resubmitted"

#: The step of a record, and the state that it leaves (nothing: as it was).
_DECISIONS: Mapping[str, tuple[str, State | None]] = {
    "approval.proposal.approved": ("approved", None),
    "approval.proposal.rejected": ("rejected", State.REJECTED),
    "approval.proposal.returned": ("returned", State.RETURNED),
    "approval.proposal.withdrawn": ("withdrawn", State.WITHDRAWN),
}

_ENDS: Mapping[str, tuple[State, str]] = {
    "approval.act.carried-out": (State.DONE, "carried out"),
    "approval.act.failed": (State.FAILED, "it was refused as it was carried out"),
    "approval.proposal.expired": (State.EXPIRED, "nobody decided in time"),
}


def propose(session: Session, record: Record) -> bool:
    """Enter a proposal, or its next revision, as its record says."""
    told, identifier = record.details, _identifier(record)
    revision = _number(told, "revision")
    row = session.get(Approval, identifier)
    if row is None:
        if record.type != _MADE:
            return False
        row = Approval(
            id=identifier,
            act=_text(told, "act"),
            object=_text(told, "object"),
            domain=record.domain,
            state=State.WAITING.value,
            revision=revision,
            proposer=record.actor,
            needed=_number(told, "needed"),
            proposed_at=record.at,
            expires=from_rfc3339(_text(told, "expires")),
        )
    if session.get(ApprovalRevision, (identifier, revision)) is not None:
        return True
    row.revision, row.state, row.needed = revision, State.WAITING.value, _number(told, "needed")
    row.expires = from_rfc3339(_text(told, "expires"))
    session.add(row)
    session.flush()
    made = ApprovalRevision(
        approval=identifier,
        revision=revision,
        reason=_text(told, "reason"),
        body=signed.canonical(told["body"]),
        digest=_text(told, "digest"),
        serial=_text(told, "serial"),
        at=record.at,
    )
    session.add(made)
    _step(session, record, row, "proposed", made.reason)
    return True


def decide(session: Session, record: Record) -> bool:
    """Enter what a person decided on a proposal."""
    row = session.get(Approval, _identifier(record))
    if row is None:
        return False
    step, state = _DECISIONS[record.type]
    if "signed" in record.details:
        _step(session, record, row, step, _text(record.details, "comment"))
    if state is not None and _number(record.details, "revision") == row.revision:
        comment = record.details.get("comment", record.details.get("why", ""))
        _end(session, row, state, str(comment), record.at)
    return True


def end(session: Session, record: Record) -> bool:
    """Enter how a proposal ended; the record of a failed act keeps its reason as a word only."""
    row = session.get(Approval, _identifier(record))
    if row is None:
        return False
    state, result = _ENDS[record.type]
    _end(session, row, state, result, record.at)
    return True


HANDLERS: Mapping[str, Callable[[Session, Record], bool]] = {
    _MADE: propose,
    _AGAIN: propose,
    **dict.fromkeys(_DECISIONS, decide),
    **dict.fromkeys(_ENDS, end),
}


def _end(session: Session, row: Approval, state: State, result: str, at: datetime) -> None:
    if row.state in (State.WAITING, State.RETURNED):
        row.state = state.value
        if state is not State.RETURNED:
            row.result, row.concluded_at = result[:1000], at
        session.add(row)


def _step(session: Session, record: Record, row: Approval, step: str, comment: str) -> None:
    proof = record.details["signed"]
    if not isinstance(proof, Mapping):
        raise TypeError("`signed` is no object")
    identifier = hashlib.sha256(_text(proof, "text").encode()).hexdigest()[:32]
    if session.get(ApprovalStep, identifier) is None:
        session.add(
            ApprovalStep(
                id=identifier,
                approval=row.id,
                revision=_number(record.details, "revision"),
                step=step,
                person=record.actor,
                serial=_text(record.details, "serial"),
                comment=comment,
                at=record.at,
            )
        )


def _identifier(record: Record) -> str:
    return record.object.removeprefix("approval:")


def _text(told: Mapping[str, JsonValue], name: str) -> str:
    value = told[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def _number(told: Mapping[str, JsonValue], name: str) -> int:
    value = told[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"`{name}` is no number")
    return value
