"""A sharing agreement is signed by both sides: by whoever holds the giver's and the receiver's post, over its content.

It is a draft until both have signed the same content (by digest), then it cannot be changed any more, only ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from core.clock import from_rfc3339
from core.ledger import evidence
from core.ledger.entry import Event
from core.registry import change, content, history, responsibility
from core.registry.errors import BadAgreement, NotInRegister
from core.registry.models import Agreement, AgreementSignature
from core.registry.province import AgreementEntry
from core.signed import Json
from core.signing import Peer, Signature

SIDES = ("giver", "receiver")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an agreement stands at a time: draft, signed, in force, lapsed or ended; and who signed for which side."""

    state: str
    digest: str
    signers: Mapping[str, str]


def content_digest(session: Session, identifier: str) -> str:
    """Return the digest of what an agreement says now: what is signed. Raises ``NotInRegister``."""
    row = history.open_version(session, "agreement", identifier)
    if row is None:
        raise NotInRegister(f"no agreement `{identifier[:80]}` is in force in the register")
    return row.digest


def sign(session: Session, identifier: str, *, peer: Peer, signature: Signature) -> Standing:
    """Enter the peer's signature over the present content.

    Raises ``NotInRegister``, ``BadAgreement``, ``BadSignature``, ``Unauthenticated``.
    """
    # Neither the content nor who holds the posts changes before the signature is entered; before the credential, as
    # whoever leaves does.
    change.lock(session)
    peer = peer.again()
    peer.hold(session)
    digest = content_digest(session, identifier)
    proof = peer.verify(signature, act=content.SIGN, object_=f"agreement:{identifier}", digest=digest)
    return _enter(session, identifier, digest, proof.details(), person=peer.principal.identifier, at=peer.at)


def _enter(
    session: Session, identifier: str, digest: str, proof: Mapping[str, Json], *, person: str, at: datetime
) -> Standing:
    row = session.get(Agreement, identifier, with_for_update=True)
    entry = history.get(session, "agreement", identifier, at)
    assert isinstance(entry, AgreementEntry)
    assert row is not None
    side = _side(session, entry, person, at)
    signed = _signers(session, identifier, digest)
    if side in signed:
        raise BadAgreement(f"`{signed[side]}` has signed `{identifier}` for the {side} already")
    if at >= from_rfc3339(entry.until):
        raise BadAgreement(f"the term of `{identifier}` is over", hint="enter another agreement with a later `until`")
    signed = {**signed, side: person}
    state = "signed" if set(signed) == set(SIDES) else "draft"
    details: dict[str, Json] = {"side": side, "digest": digest, "state": state, "signed": dict(proof)}
    event = Event("registry.agreement.signed", person, f"agreement:{identifier}", details=details)
    record = evidence.append(session, event, at=at)
    session.add(AgreementSignature(agreement=identifier, side=side, person=person, digest=digest, at=at, record=record))
    if state == "signed":
        row.state, row.digest = state, digest
        session.add(row)
    session.flush()
    return Standing(state, digest, signed)


def standing(session: Session, identifier: str, at: datetime) -> Standing:
    """Return where an agreement stands, or stood, at a time. Raises ``NotInRegister``."""
    versions = [row for row in history.versions(session, "agreement", identifier) if row.since <= at]
    if not versions:
        raise NotInRegister(f"no agreement `{identifier[:80]}` was in the register at that time")
    last = versions[-1]
    entry = history.last(session, "agreement", identifier, at)
    assert isinstance(entry, AgreementEntry)
    signed = _signers(session, identifier, last.digest, at)
    if last.until is not None and last.until <= at:
        return Standing("ended", last.digest, signed)
    if set(signed) != set(SIDES):
        return Standing("draft", last.digest, signed)
    if at >= from_rfc3339(entry.until):
        return Standing("lapsed", last.digest, signed)
    return Standing("in force" if at >= from_rfc3339(entry.since) else "signed", last.digest, signed)


def _side(session: Session, entry: AgreementEntry, person: str, at: datetime) -> str:
    for side, post in zip(SIDES, (entry.in_charge, entry.received_by), strict=True):
        held = responsibility.find_holding(session, post, at)
        if held is not None and held.person == person:
            return side
    detail = f"`{person}` holds neither `{entry.in_charge}` nor `{entry.received_by}`"
    raise BadAgreement(detail, hint="an agreement is signed by whoever is in charge on either side")


def _signers(session: Session, identifier: str, digest: str, at: datetime | None = None) -> dict[str, str]:
    statement = select(AgreementSignature).where(
        AgreementSignature.agreement == identifier, AgreementSignature.digest == digest
    )
    rows: Sequence[AgreementSignature] = session.exec(statement.order_by(col(AgreementSignature.number))).all()
    return {row.side: row.person for row in rows if at is None or row.at <= at}
