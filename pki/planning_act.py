"""The acts ``pki.authority.add`` (body ``name``, ``domains``, ``algorithm``, ``basis``) and ``pki.authority.renew``
(body ``line``, ``basis``): another authority takes two people, because it cannot be taken back.
"""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.errors import Malformed
from core.identity import PersonId
from core.signed import Json
from pki import planning
from pki.issuer import ISSUING
from pki.plan import Plan

ADD, RENEW = "pki.authority.add", "pki.authority.renew"

_Planner = Callable[[Session, Body], Plan]


def _added_object(body: Body) -> str:
    check_members(body, {"name", "domains", "algorithm", "basis"})
    return f"authority:{ISSUING}-{text(body, 'name')[:40]}"


def _renewed_object(body: Body) -> str:
    check_members(body, {"line", "basis"})
    return f"authority:{text(body, 'line')[:40]}"


def _added(session: Session, body: Body) -> Plan:
    check_members(body, {"name", "domains", "algorithm", "basis"})
    domains = body["domains"]
    if not isinstance(domains, list) or len(domains) > 50:
        raise Malformed("`domains` is a list of domains")
    return planning.plan_added(
        session, text(body, "name"), [one for one in domains if isinstance(one, str)], text(body, "algorithm")
    )


def _renewed(session: Session, body: Body) -> Plan:
    check_members(body, {"line", "basis"})
    return planning.plan_renewed(session, text(body, "line"))


def _act(name: str, named: Callable[[Body], str], planner: _Planner) -> Act:
    def concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
        return Concern(object=named(body))

    def consequences(session: Session, body: Body, at: datetime) -> list[str]:
        return planning.consequences(session, planner(session, body), at)

    def carry_out(
        session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> dict[str, Json]:
        made = planner(session, body)
        planning.record(session, made, proposer=proposer, approver=approver, basis=text(body, "basis"), at=at)
        return {"authority": made.name, "parent": made.parent}

    return Act(name=name, concern=concern, consequences=consequences, carry_out=carry_out)


def check_members(body: Body, names: set[str]) -> None:
    """Raise ``Malformed`` unless the body has these members, and says why there is another authority."""
    if set(body) != names:
        raise Malformed(f"the body has {', '.join(f'`{one}`' for one in sorted(names))}, and nothing else")
    basis = body["basis"]
    if not isinstance(basis, str) or not basis.strip() or len(basis) > 400 or not basis.isprintable():
        raise Malformed("`basis` says in one line why there is another authority")


def text(body: Body, name: str) -> str:
    """Return a text of the body; raises ``Malformed``."""
    value = body[name]
    if not isinstance(value, str):
        raise Malformed(f"`{name}` is a text")
    return value


ACTS = (_act(ADD, _added_object, _added), _act(RENEW, _renewed_object, _renewed))
