"""The act ``pki.profile.activate``: body ``text``, ``from``, ``basis``; a second person puts profiles into force.

``from`` is the digest of the profiles in force that the proposer saw: what is agreed on is the change between the two.
Going back is the same act with an earlier text.
"""

from datetime import datetime

from sqlmodel import Session, col, func, select

from core.approval.acts import Act, Body, Concern
from core.errors import Malformed
from core.identity import PersonId
from core.registry.credential import Credential, CredentialState
from core.signed import Json
from pki import profile, profilelint, profileset

NAME = profile.ACTIVATE


def _concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    text, _seen, _basis = _parse(body)
    return Concern(object=f"profiles:{profile.parse_profiles(text).digest[:16]}")


def _consequences(session: Session, body: Body, at: datetime) -> list[str]:
    text, seen, _basis = _parse(body)
    old, new = profileset.check(session, text, seen=seen)
    told = [f"profiles {old.version} ({old.digest[:16]}) → {new.version} ({new.digest[:16]})"]
    told += profilelint.compare(old, new) or ["no profile changes, only the text"]
    for one in old.listed:
        if (count := _left(session, one.name, at)) and one not in new.listed:
            told.append(f"{count} certificates of profile `{one.name}`, good or on hold, stay so until they end")
    return told


def _carry_out(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    text, seen, basis = _parse(body)
    new = profileset.activate(session, text, seen=seen, people=(proposer, approver), basis=basis, at=at)
    return {"version": new.version, "digest": new.digest, "before": seen}


def _left(session: Session, name: str, at: datetime) -> int:
    statement = select(func.count()).where(
        Credential.profile == name, Credential.state != CredentialState.REVOKED.value, col(Credential.not_after) > at
    )
    return session.exec(statement).one()


def _parse(body: Body) -> tuple[str, str, str]:
    text, seen, basis = (body.get(name) for name in ("text", "from", "basis"))
    if set(body) != {"text", "from", "basis"} or not isinstance(text, str) or not isinstance(seen, str):
        raise Malformed("the body has `text`, `from` and `basis`, and nothing else")
    if not isinstance(basis, str) or not basis.strip() or len(basis) > 400 or not basis.isprintable():
        raise Malformed("`basis` says in one line why the profiles change")
    return text, seen, basis


ACT = Act(name=NAME, concern=_concern, consequences=_consequences, carry_out=_carry_out)
