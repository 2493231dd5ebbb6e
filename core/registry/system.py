"""Systems and machine subjects in the register."""

from sqlmodel import Session

from core.identity import SystemId
from core.registry.errors import NotInRegister
from core.registry.models import Device, System


def get(session: Session, identifier: SystemId) -> System:
    """Return a system; raises ``NotInRegister``."""
    found = session.get(System, identifier)
    if found is None or found.ended_at is not None:
        raise NotInRegister(f"no system `{identifier}` is in the register", hint="see `guosuo register list system`")
    return found


def get_device(session: Session, identifier: str) -> Device:
    """Return a device; raises ``NotInRegister``."""
    found = session.get(Device, identifier)
    if found is None or found.ended_at is not None:
        raise NotInRegister(f"no device `{identifier}` is in the register")
    return found
