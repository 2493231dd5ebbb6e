"""Security domains in the register: their ceilings, their addresses."""

import ipaddress
from collections.abc import Sequence

from sqlmodel import Session, col, select

from core.identity import DomainId
from core.registry.errors import NotInRegister
from core.registry.models import AddressRange, SecurityDomain


def get(session: Session, identifier: DomainId) -> SecurityDomain:
    """Return a domain; raises ``NotInRegister``."""
    found = session.get(SecurityDomain, identifier)
    if found is None or found.ended_at is not None:
        raise NotInRegister(f"no security domain `{identifier}` is in the register")
    return found


def domains(session: Session) -> Sequence[SecurityDomain]:
    """Return every domain, by id."""
    statement = select(SecurityDomain).where(col(SecurityDomain.ended_at).is_(None))
    return sorted(session.exec(statement), key=lambda domain: domain.id)


def addresses(session: Session, identifier: DomainId) -> tuple[str, ...]:
    """Return the domain's ranges (CIDR)."""
    rows = session.exec(select(AddressRange).where(AddressRange.domain == identifier))
    return tuple(sorted(row.cidr for row in rows))


def find_by_address(session: Session, address: str) -> SecurityDomain | None:
    """Return the one domain that ``address`` belongs to, or nothing; also for what is no address."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return None
    for row in session.exec(select(AddressRange)):
        if wanted in ipaddress.ip_network(row.cidr):
            return session.get(SecurityDomain, row.domain)
    return None
