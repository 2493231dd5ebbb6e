"""The acts ``pki.authority.cross`` and ``pki.authority.revoke``: whom we vouch for outside takes two people, too.

Bodies: ``name``, ``root``, ``path_length``, ``hosts``, ``addresses``, ``excluded``, ``policies``, ``days``, ``basis``;
and ``name``, ``reason``, ``basis``.
"""

from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.errors import Malformed
from core.identity import PersonId
from core.signed import Json
from pki import crossing, planning, planning_act, reason
from pki.crossing import Crossing
from pki.planning_act import check_members, text

CROSS, REVOKE = "pki.authority.cross", "pki.authority.revoke"

_MEMBERS = {"name", "root", "path_length", "hosts", "addresses", "excluded", "policies", "days", "basis"}


def _cross_concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    return Concern(object=f"authority:foreign-{_asked(body).name[:40]}")


def _cross_consequences(session: Session, body: Body, at: datetime) -> list[str]:
    return crossing.consequences(crossing.plan_crossed(session, _asked(body), at))


def _cross(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    made = crossing.plan_crossed(session, _asked(body), at)
    planning.record(session, made, proposer=proposer, approver=approver, basis=text(body, "basis"), at=at)
    return {"authority": made.name, "parent": made.parent}


def _revoke_concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    check_members(body, {"name", "reason", "basis"})
    reason.code(text(body, "reason"))
    return Concern(object=f"authority:{text(body, 'name')[:40]}")


def _revoke_consequences(session: Session, body: Body, at: datetime) -> list[str]:
    _revoke_concern(session, body, at)
    found = crossing.find(session, text(body, "name"))
    return [
        f"`{found.holder}` is revoked for ever; whoever reads the list of `{found.issuer}` believes nothing below it"
    ]


def _revoke(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:  # noqa: ARG001  # the form of every act
    _revoke_concern(session, body, at)
    crossing.revoke(session, text(body, "name"), text(body, "reason"), actor=approver, at=at)
    return {"authority": text(body, "name"), "reason": text(body, "reason")}


def _asked(body: Body) -> Crossing:
    check_members(body, _MEMBERS)
    return Crossing(
        name=text(body, "name"),
        root=text(body, "root"),
        path_length=_number(body, "path_length"),
        hosts=_texts(body, "hosts"),
        addresses=_texts(body, "addresses"),
        excluded=_texts(body, "excluded"),
        policies=_texts(body, "policies"),
        days=_number(body, "days"),
    )


def _number(body: Body, name: str) -> int:
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"`{name}` is a number")
    return value


def _texts(body: Body, name: str) -> tuple[str, ...]:
    value = body[name]
    if not isinstance(value, list) or len(value) > crossing.MOST or not all(isinstance(one, str) for one in value):
        raise Malformed(f"`{name}` is a list of at most {crossing.MOST} texts")
    return tuple(str(one) for one in value)


#: Every act on authorities.
ACTS = (
    *planning_act.ACTS,
    Act(name=CROSS, concern=_cross_concern, consequences=_cross_consequences, carry_out=_cross),
    Act(name=REVOKE, concern=_revoke_concern, consequences=_revoke_consequences, carry_out=_revoke),
)
