"""Machines of the register by the names that officers give them: whoever binds or lets in one asks here."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from core.identity import SubjectKind, SystemId
from core.registry import system
from core.registry.errors import NotInRegister
from core.registry.models import Device
from pki import holder
from pki.errors import WrongProfile
from pki.names import Holder


def find(session: Session, name: str, kinds: Sequence[SubjectKind], what: str) -> Holder:
    """Return the machine that ``name`` means: its own id, or that of a system with one application.

    ``what`` is for machines of these ``kinds`` alone. Raises ``NotInRegister``, ``WrongProfile``.
    """
    device = session.get(Device, name)
    if device is None or device.ended_at is not None:
        device = _only_application(session, system.get(session, SystemId(name)).id)
    if device.kind not in kinds:
        raise WrongProfile(f"`{device.id}` is a {device.kind}: {what} for {', '.join(kinds)}")
    return holder.find(session, SubjectKind(device.kind), device.id)


def _only_application(session: Session, identifier: str) -> Device:
    statement = select(Device).where(
        Device.system == identifier, col(Device.ended_at).is_(None), Device.kind == SubjectKind.APPLICATION.value
    )
    found = session.exec(statement.order_by(Device.id)).all()
    if len(found) == 1:
        return found[0]
    told = ", ".join(one.id for one in found) or "none"
    raise NotInRegister(
        f"the system `{identifier}` has not one application but: {told}", hint="name the machine itself"
    )
