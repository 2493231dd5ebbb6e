"""The act ``certificate.bulk.revoke``: more certificates than one person may revoke at once.

Body: the choice (``serials``, ``key``, ``department``, ``domain``, ``profile``), ``reason``, and ``digest``, the plan's
own: what two people agreed on is what is revoked, and nothing that came after.
"""

from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.errors import Conflict, Malformed
from core.identity import SITE, PersonId
from core.signed import Json
from pki import bulk
from pki.bulk import Plan

NAME = "certificate.bulk.revoke"


def concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    """Read the body. Raises ``Malformed``."""
    _parse(body)
    return Concern(object=f"certificates:{_digest(body)}", domain=SITE)


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
    choice, word = _parse(body)
    planned = bulk.plan(session, choice, word, at)
    if planned.digest != _digest(body):
        raise Conflict("what is chosen is no longer what the plan showed", hint="look at a new plan, propose anew")
    return planned, word


def _parse(body: Body) -> tuple[bulk.Choice, str]:
    _digest(body)
    return bulk.parse({name: value for name, value in body.items() if name != "digest"})


def _digest(body: Body) -> str:
    value = body.get("digest")
    if not isinstance(value, str) or len(value) != 64:
        raise Malformed("`digest` is the one that the plan gave", hint="see `guosuo cert revoke --dry-run`")
    return value
