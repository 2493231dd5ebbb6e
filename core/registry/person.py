"""People in the register."""

from sqlmodel import Session, select

from core.clock import to_rfc3339
from core.errors import Conflict
from core.identity import DomainId, PersonId
from core.registry.errors import HasLeft, NotInRegister
from core.registry.models import DomainMembership, Person


def get(session: Session, identifier: PersonId) -> Person:
    """Return a person; raises ``NotInRegister``."""
    found = session.get(Person, identifier)
    if found is None:
        raise NotInRegister(f"no person `{identifier}` is in the register", hint="see `guosuo register list person`")
    return found


def get_serving(session: Session, identifier: PersonId, *, hold: bool = False) -> Person:
    """Return a person who has not left; raises ``NotInRegister``, ``HasLeft``.

    With ``hold`` the person cannot leave before the caller's transaction ends.
    """
    if hold:
        session.get(Person, identifier, with_for_update={"read": True}, populate_existing=True)
    found = get(session, identifier)
    if found.left_at is not None:
        raise HasLeft(
            f"`{identifier}` left at {to_rfc3339(found.left_at)}", hint="see `guosuo register show person ID`"
        )
    return found


def get_able(session: Session, identifier: PersonId, *, hold: bool = False) -> Person:
    """Return a person who could use what is given to them; raises ``Conflict`` for who is suspended, too."""
    found = get_serving(session, identifier, hold=hold)
    if found.suspended:
        raise Conflict(f"`{identifier}` is suspended", hint="name somebody else, or end the suspension first")
    return found


def find(session: Session, identifier: str) -> Person | None:
    """Return a person, or nothing."""
    return session.get(Person, identifier)


def memberships(session: Session, identifier: PersonId) -> frozenset[DomainId]:
    """Return the domains that the person is a member of."""
    rows = session.exec(select(DomainMembership).where(DomainMembership.person == identifier))
    return frozenset(DomainId(row.domain) for row in rows)
