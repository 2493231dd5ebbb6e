"""The act ``register.level.set``: body ``domain``, ``from``, ``level``, ``basis``; the officer in charge decides.

``from`` is the level that the proposer saw: what was agreed on as stricter is never carried out as looser.
"""

from datetime import datetime

from sqlmodel import Session

from core.approval.acts import Act, Body, Concern
from core.errors import Conflict, Malformed
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
        domain, before, level, _basis = _parse(body)
        seen = leveling.preview(session, Asked(holders, strength.weak), domain, level, at)
        _check_unchanged(domain, before, seen.old)
        return seen.sentences()

    return Act(name=NAME, concern=_concern, consequences=consequences, carry_out=_carry_out)


def _concern(session: Session, body: Body, at: datetime) -> Concern:  # noqa: ARG001  # the form of every act
    domain, _before, _level, _basis = _parse(body)
    return Concern(object=f"domain:{domain}", domain=domain)


def _carry_out(session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime) -> dict[str, Json]:
    domain, before, level, basis = _parse(body)
    # Raised after the change, it undoes the change (``CarryOut``): only then is the domain held.
    _check_unchanged(domain, before, leveling.set_level(session, domain, level, actor=proposer, basis=basis, at=at))
    version = levels.table().version
    return {"domain": domain, "from": before, "to": level, "table": version, "agreed_by": approver}


def _check_unchanged(domain: str, proposed: int, now: int) -> None:
    if now != proposed:
        detail = f"`{domain}` has level {now} now, and not {proposed} as when this was proposed"
        raise Conflict(detail, hint="look at what it means now, and propose it anew")


def _parse(body: Body) -> tuple[DomainId, int, int, str]:
    domain, basis = (body.get(name) for name in ("domain", "basis"))
    if set(body) != {"domain", "from", "level", "basis"} or not isinstance(domain, str) or len(domain) > 80:
        raise Malformed("the body names `domain`, `from`, `level` and `basis`, and nothing else")
    if not isinstance(basis, str) or not basis.strip() or len(basis) > 400 or not basis.isprintable():
        raise Malformed("`basis` names the act by which the level was decided")
    return DomainId(domain), _level(body, "from"), _level(body, "level"), basis


def _level(body: Body, name: str) -> int:
    level = body[name]
    if not isinstance(level, int) or isinstance(level, bool):
        raise Malformed(f"`{name}` is a number from 1 to 5")
    return levels.check_level(level)
