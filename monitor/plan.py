"""What the centre wants its sensors to watch: every domain of the register with its ceiling and addresses."""

from sqlmodel import Session, select

from core.registry.level import Classification
from core.registry.models import AddressRange, SecurityDomain
from monitor import rules
from monitor.rules import Boundary
from monitor.sighting import Plan, Watched


def current(session: Session) -> Plan:
    """Return the plan as the register is now. Raises ``BadPlan`` when a domain cannot be watched."""
    ranges: dict[str, list[str]] = {}
    for row in session.exec(select(AddressRange).order_by(AddressRange.cidr)):
        ranges.setdefault(row.domain, []).append(row.cidr)
    boundaries = [
        Boundary(domain.id, Classification(domain.ceiling), tuple(ranges.get(domain.id, [])))
        for domain in session.exec(select(SecurityDomain).order_by(SecurityDomain.id))
    ]
    watched = [Watched(domain=one.domain, ceiling=int(one.ceiling), ranges=list(one.ranges)) for one in boundaries]
    return Plan(policy=rules.policy_version(boundaries), domains=watched)
