"""What acts of two people leave in the evidence. Each wire name is written here and nowhere else."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session

from core.approval.content import name
from core.approval.models import Approval, ApprovalRevision
from core.approval.word import Word
from core.clock import to_rfc3339
from core.ledger import evidence
from core.ledger.entry import Event, JsonValue
from core.signed import Json, SignedAct

PROPOSED = "approval.proposal.made"
RESUBMITTED = "approval.proposal.resubmitted"
APPROVED = "approval.proposal.approved"
RETURNED = "approval.proposal.returned"
REJECTED = "approval.proposal.rejected"
WITHDRAWN = "approval.proposal.withdrawn"
EXPIRED = "approval.proposal.expired"
CARRIED_OUT = "approval.act.carried-out"
FAILED = "approval.act.failed"


def proposed(session: Session, type_: str, row: Approval, revision: ApprovalRevision, proof: SignedAct) -> None:
    """Record a proposal, or its next revision, with its whole body and the proposer's signature."""
    details: dict[str, JsonValue] = {
        "act": row.act,
        "object": row.object,
        "revision": revision.revision,
        "reason": revision.reason,
        "body": json.loads(revision.body),
        "digest": revision.digest,
        "needed": row.needed,
        "expires": to_rfc3339(row.expires),
        "serial": revision.serial,
        "signed": proof.details(),
    }
    evidence.append(session, Event(type_, row.proposer, name(row.id), row.domain, details=details), at=revision.at)


def decided(session: Session, type_: str, row: Approval, said: Word) -> None:
    """Record what a person decided on a proposal, with their signature."""
    details: dict[str, JsonValue] = {
        "act": row.act,
        "object": row.object,
        "revision": row.revision,
        "comment": said.comment,
        "serial": said.serial,
        "signed": said.proof.details(),
    }
    evidence.append(session, Event(type_, said.person, name(row.id), row.domain, details=details), at=said.at)


def concluded(
    session: Session, type_: str, row: Approval, *, actor: str, outcome: Mapping[str, Json], at: datetime
) -> None:
    """Record how a proposal ended without, or after, the last decision."""
    details: dict[str, JsonValue] = {
        "act": row.act,
        "object": row.object,
        "revision": row.revision,
        "proposer": row.proposer,
        **outcome,
    }
    result = "refused" if type_ == FAILED else "done"
    evidence.append(session, Event(type_, actor, name(row.id), row.domain, result, details), at=at)
