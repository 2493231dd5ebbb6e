"""Organisations in the register."""

from sqlmodel import Session

from core.identity import OrganisationId
from core.registry.errors import NotInRegister
from core.registry.models import Organisation


def get(session: Session, identifier: OrganisationId) -> Organisation:
    """Return an organisation; raises ``NotInRegister``."""
    found = session.get(Organisation, identifier)
    if found is None:
        raise NotInRegister(f"no organisation `{identifier}` is in the register")
    return found
