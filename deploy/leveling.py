"""The act ``register.level.set``: body ``domain``, ``level``, ``basis``; the domain's officer in charge decides."""

from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.errors import Malformed
from core.identity import DomainId, PersonId
from core.registry import leveling, levels
from core.registry.holding import Holders
from core.registry.leveling import Asked
from core.signed import Json
from pki import strength

NAME = "register.level.set"


def act(holders: Holders) -> Act:
    """Return the act; ``holders`` say for whom it becomes stricter."""

    def consequences(session: Session, body: Body, at: datetime) -> list[str]:
        domain, level, _basis = _parse(body)
        return leveling.preview(session, Asked(holders, strength.weak), domain, level, at).sentences()

    return Act(name=NAME, concern=_concern, consequences=consequences, carry_out=_carry_out)


def _concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    domain, _level, _basis = _parse(body)
    return Concern(object=f"domain:{domain}", domain=domain)


def _carry_out(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    domain, level, basis = _parse(body)
    before = leveling.set_level(session, domain, level, actor=proposer, basis=basis, at=at)
    version = levels.table().version
    return {"domain": domain, "from": before, "to": level, "table": version, "agreed_by": approver}


def _parse(body: Body) -> tuple[DomainId, int, str]:
    domain, level, basis = (body.get(name) for name in ("domain", "level", "basis"))
    if set(body) != {"domain", "level", "basis"} or not isinstance(domain, str) or len(domain) > 80:
        raise Malformed("the body names `domain`, `level` and `basis`, and nothing else")
    if not isinstance(level, int) or isinstance(level, bool):
        raise Malformed("`level` is a number from 1 to 5")
    if not isinstance(basis, str) or not basis.strip() or len(basis) > 400 or not basis.isprintable():
        raise Malformed("`basis` names the act by which the level was decided")
    return DomainId(domain), levels.check_level(level), basis
