"""The act ``certificate.bulk.revoke``: more certificates than one person may revoke at once.

Body: ``digest``, the one of a plan that is kept, and ``reason``, the plan's: what two people agreed on is what is
revoked, however many it is, and nothing that came after.
"""

from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.errors import Malformed
from core.identity import SITE, PersonId
from core.signed import Json
from pki import bulk
from pki.bulk import Plan

NAME = "certificate.bulk.revoke"


def concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    """Read the body. Raises ``Malformed``."""
    digest, _word = _parse(body)
    return Concern(object=f"certificates:{digest}", domain=SITE)


def consequences(session: Session, body: Body, at: datetime) -> list[str]:
    """Say what would be revoked, as the register is now. Raises ``Conflict`` when that is another choice by now."""
    return list(_planned(session, body, at)[0].told)


def carry_out(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    """Order it; the job ``pki.revocation.bulk`` revokes in small transactions."""
    planned, word = _planned(session, body, at)
    made = bulk.order(session, planned, word, actor=proposer, at=at)
    return {"order": made.id, "count": made.total, "reason": word, "agreed_by": approver}


ACT = Act(name=NAME, concern=concern, consequences=consequences, carry_out=carry_out)


def _planned(session: Session, body: Body, at: datetime) -> tuple[Plan, str]:
    digest, word = _parse(body)
    return bulk.kept(session, digest, word, at), word


def _parse(body: Body) -> tuple[str, str]:
    digest, word = body.get("digest"), body.get("reason")
    if set(body) != {"digest", "reason"} or not isinstance(word, str):
        raise Malformed("the body has `digest` and `reason`, and nothing else")
    if not isinstance(digest, str) or len(digest) != 64:
        raise Malformed("`digest` is the one that the plan gave", hint="see `guosuo cert revoke --dry-run`")
    return digest, word
