"""Propose an act, propose it again when it was returned, withdraw it.

A proposal is kept with its canonical body, and its digest is what everybody signs from then on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from core import signed
from core.approval import content, eligibility, events, steps
from core.approval.acts import Act, Acts, Body, Concern, Ruling
from core.approval.eligibility import Case, Eligible
from core.approval.errors import NobodyCanApprove, NotWaiting, NotYours
from core.approval.models import Approval, ApprovalRevision
from core.approval.state import State
from core.approval.word import Word
from core.errors import Malformed, Rejected
from core.identity import SITE, DomainId, Principal
from core.registry import domain as domains
from core.rule import PROPOSER
from core.signing import Peer, Signature

#: Octets of a body as canonical JSON: one record holds it beside two signatures.
LARGEST_BODY = 16_384


@dataclass(frozen=True, slots=True)
class Preview:
    """What proposing would mean: the object and digest to sign, what would happen, who could decide, how many must."""

    object: str
    domain: str
    digest: str
    consequences: list[str]
    approvers: list[Eligible]
    needed: int


def preview(
    session: Session, acts: Acts, *, act: str, body: Body, reason: str, proposer: Principal, at: datetime
) -> Preview:
    """Say what a proposal would mean; nothing is changed. Raises what ``propose`` would, but for signatures."""
    ruling, code = acts.get(act)
    concern = code.concern(session, body, at)
    case = Case(ruling, concern, proposer.identifier, concern.object, at)
    eligibility.check_proposer(session, case, proposer.serial)
    needed = _needed(session, ruling, concern)
    return Preview(
        object=concern.object,
        domain=concern.domain,
        digest=content.proposal(act=act, object_=concern.object, body=body, reason=reason),
        consequences=code.consequences(session, body, at),
        approvers=eligibility.approvers(session, case) if needed else [],
        needed=needed,
    )


def propose(
    session: Session, acts: Acts, *, act: str, body: Body, reason: str, peer: Peer, signature: Signature
) -> Approval:
    """Enter a proposal; the same signed text again returns what it made. One that needs nobody is carried out at once.

    Raises ``BadSignature``, ``NotYours``, ``NobodyCanApprove``, and what the act itself refuses.
    """
    ruling, code = acts.get(act)
    text = _canonical(body)
    steps.hold_rights(session)
    peer = peer.again()
    concern = code.concern(session, body, peer.at)
    digest = content.proposal(act=act, object_=concern.object, body=body, reason=reason)
    proof = peer.verify(signature, act=content.PROPOSE, object_=concern.object, digest=digest)
    if (known := steps.find(session, proof)) is not None:
        return known
    needed = _check(
        session, Case(ruling, concern, peer.principal.identifier, concern.object, peer.at), code, body, peer
    )
    row = Approval(
        id=proof.identifier,
        act=act,
        object=concern.object,
        domain=concern.domain,
        state=State.WAITING.value,
        revision=1,
        proposer=peer.principal.identifier,
        needed=needed,
        proposed_at=peer.at,
        expires=peer.at + timedelta(hours=ruling.hours),
    )
    session.add(row)
    session.flush()
    said = Word(proof, peer.principal.serial, reason, peer.at)
    revision = _enter(session, row, text, digest, said)
    steps.note(session, row, said, "proposed")
    events.proposed(session, events.PROPOSED, row, revision, proof)
    if not needed:
        steps.carry_out(session, acts, row, approver=row.proposer, at=peer.at)
    return row


def resubmit(
    session: Session, acts: Acts, identifier: str, *, body: Body, reason: str, peer: Peer, signature: Signature
) -> Approval:
    """Propose again, corrected, what was returned: the next revision, by the same proposer, about the same object."""
    row, peer = steps.turn(session, identifier, peer)
    ruling, code = acts.get(row.act)
    text = _canonical(body)
    concern = code.concern(session, body, peer.at)
    digest = content.proposal(act=row.act, object_=concern.object, body=body, reason=reason)
    proof = peer.verify(signature, act=content.RESUBMIT, object_=content.name(row.id), digest=digest)
    if (known := steps.find(session, proof)) is not None:
        return known
    _check_own(row, peer)
    if row.state != State.RETURNED or row.expires <= peer.at:
        raise NotWaiting(f"the proposal was not returned to be corrected: it is {steps.state_at(row, peer.at)}")
    if (concern.object, concern.domain) != (row.object, row.domain):
        raise Rejected(
            f"a corrected proposal is about the same object, `{row.object}`", hint="withdraw it, propose anew"
        )
    case = Case(ruling, concern, row.proposer, content.name(row.id), peer.at)
    row.needed = _check(session, case, code, body, peer)
    row.revision, row.state = row.revision + 1, State.WAITING.value
    row.expires = peer.at + timedelta(hours=ruling.hours)
    session.add(row)
    said = Word(proof, peer.principal.serial, reason, peer.at)
    revision = _enter(session, row, text, digest, said)
    steps.note(session, row, said, "proposed")
    events.proposed(session, events.RESUBMITTED, row, revision, proof)
    if not row.needed:
        steps.carry_out(session, acts, row, approver=row.proposer, at=peer.at)
    return row


def withdraw(session: Session, identifier: str, *, comment: str, peer: Peer, signature: Signature) -> Approval:
    """Take a proposal back; only its proposer can, while nothing has been decided."""
    row, peer = steps.turn(session, identifier, peer)
    said = steps.word(session, row, content.WITHDRAW, comment, peer=peer, signature=signature)
    if (known := steps.find(session, said.proof)) is not None:
        return known
    _check_own(row, peer)
    peer.hold(session)
    steps.check_open(row, peer.at)
    steps.note(session, row, said, "withdrawn")
    events.decided(session, events.WITHDRAWN, row, said)
    return steps.conclude(session, row, State.WITHDRAWN, comment, peer.at)


def _check(session: Session, case: Case, code: Act, body: Body, peer: Peer) -> int:
    """Check all that a proposal needs beside its signature; return how many people must agree."""
    eligibility.check_proposer(session, case, peer.principal.serial)
    code.consequences(session, body, peer.at)
    needed = _needed(session, case.ruling, case.concern)
    able = eligibility.approvers(session, case)
    if len(able) < needed:
        detail = f"`{case.ruling.act}` takes {needed} other people who agree, and {len(able)} could at this time"
        raise NobodyCanApprove(detail, hint=f"it takes {', '.join(case.ruling.approve)}")
    return needed


def _needed(session: Session, ruling: Ruling, concern: Concern) -> int:
    if concern.domain == SITE:
        return ruling.approvers
    return ruling.approvers if domains.get(session, DomainId(concern.domain)).level >= ruling.level else 0


def _check_own(row: Approval, peer: Peer) -> None:
    if row.proposer != peer.principal.identifier:
        raise NotYours(f"`{row.proposer}` proposed this", rule=str(PROPOSER), about=content.name(row.id))


def _canonical(body: Mapping[str, signed.Json]) -> bytes:
    text = signed.canonical(body)
    if len(text) > LARGEST_BODY:
        raise Malformed(f"a body of {len(text)} octets is larger than the {LARGEST_BODY} that a proposal may have")
    if "\\u0000" in json.dumps(json.loads(text)):
        raise Malformed("a body holds no NUL")
    return text


def _enter(session: Session, row: Approval, text: bytes, digest: str, said: Word) -> ApprovalRevision:
    made = ApprovalRevision(
        approval=row.id,
        revision=row.revision,
        reason=said.comment,
        body=text,
        digest=digest,
        serial=said.serial,
        at=said.at,
    )
    session.add(made)
    session.flush()
    return made
