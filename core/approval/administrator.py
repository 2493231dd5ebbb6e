"""The act ``role.administrator.replace``: one of the three administrators comes, goes, or is replaced.

Body: ``role``, and ``incoming``, ``outgoing`` or both (ids of people). Whoever goes does not decide on it. The first
three are appointed by the bootstrap certificate; everyone after them by this act alone.
"""

from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.errors import Conflict, Malformed
from core.identity import SITE, PersonId
from core.registry import person, role
from core.signed import Json

NAME = "role.administrator.replace"


def concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    """Read the body. Raises ``Malformed``."""
    office, incoming, outgoing = _parse(body)
    barred = frozenset(one for one in (outgoing, incoming) if one)
    return Concern(object=f"office:{office}", domain=SITE, excluded=barred)


def consequences(session: Session, body: Body, at: datetime) -> list[str]:
    """Say who comes and who goes. Raises ``NotInRegister``, ``HasLeft``, ``SeparationOfDuties``, ``Conflict``."""
    office, incoming, outgoing = _parse(body)
    held = {who for who, domain, name in role.held(session, at) if (domain, name) == (SITE, office)}
    told = []
    if outgoing:
        if outgoing not in held:
            raise Conflict(f"`{outgoing}` is not {office}")
        told.append(f"{_named(session, outgoing)} is no longer {office} and can do nothing with that office any more")
    if incoming:
        if incoming in held:
            raise Conflict(f"`{incoming}` is {office} already")
        # Whoever left or is suspended would hold the office and do nothing.
        person.get_able(session, PersonId(incoming))
        role.check_separation(role.on_site(session, PersonId(incoming), at), office, incoming)
        told.append(f"{_named(session, incoming)} becomes {office}")
    if held <= {outgoing} and not incoming:
        told.append(f"nobody is {office} then: what only the {office} may do waits until somebody is appointed")
    return told


def carry_out(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    """Withdraw and appoint, both or neither."""
    consequences(session, body, at)
    office, incoming, outgoing = _parse(body)
    if outgoing:
        role.withdraw(session, person=PersonId(outgoing), domain=SITE, role=office, actor=proposer, at=at)
    if incoming:
        role.appoint(session, person=PersonId(incoming), role=office, giver=proposer, at=at)
    return {"role": office, "incoming": incoming, "outgoing": outgoing, "agreed_by": approver}


ACT = Act(name=NAME, concern=concern, consequences=consequences, carry_out=carry_out)


def _parse(body: Body) -> tuple[str, str, str]:
    if not set(body) <= {"role", "incoming", "outgoing"}:
        raise Malformed("the body names `role`, `incoming`, `outgoing` and nothing else")
    texts = [body.get(name, "") or "" for name in ("role", "incoming", "outgoing")]
    office, incoming, outgoing = (text if isinstance(text, str) and len(text) <= 80 else "\0" for text in texts)
    if office not in role.ADMINISTRATORS:
        raise Malformed(f"`role` is one of {', '.join(role.ADMINISTRATORS)}")
    if "\0" in incoming + outgoing or incoming == outgoing:
        raise Malformed("name who comes (`incoming`), who goes (`outgoing`), or both, as ids of two different people")
    return office, incoming, outgoing


def _named(session: Session, identifier: str) -> str:
    return f"{person.get(session, PersonId(identifier)).name} (`{identifier}`)"
