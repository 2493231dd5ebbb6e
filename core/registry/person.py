"""People in the register."""

from sqlmodel import Session, select

from core.identity import DomainId, PersonId
from core.registry.errors import NotInRegister
from core.registry.models import DomainMembership, Person


def get(session: Session, identifier: PersonId) -> Person:
    """Return a person; raises ``NotInRegister``."""
    found = session.get(Person, identifier)
    if found is None:
        raise NotInRegister(f"no person `{identifier}` is in the register", hint="see `guosuo register list person`")
    return found


def find(session: Session, identifier: str) -> Person | None:
    """Return a person, or nothing."""
    return session.get(Person, identifier)


def memberships(session: Session, identifier: PersonId) -> frozenset[DomainId]:
    """Return the domains that the person is a member of."""
    rows = session.exec(select(DomainMembership).where(DomainMembership.person == identifier))
    return frozenset(DomainId(row.domain) for row in rows)
