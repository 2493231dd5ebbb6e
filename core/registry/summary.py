"""``guosuo register who``: from whatever is in hand (system, domain, person, address, serial) to who answers for it."""

from datetime import datetime

from sqlmodel import Session

from core.identity import DomainId, OrganisationId, Serial, SystemId
from core.registry import credential, domain, organisation, person, responsibility, system
from core.registry.errors import NotInRegister
from core.registry.models import Device, Person, SecurityDomain, System
from core.registry.responsibility import Officers

#: Name and value, in the order they are shown.
Summary = dict[str, str]


def find_responsible(session: Session, what: str, at: datetime) -> Summary:
    """Return who answers for ``what`` at a time. Raises ``NotInRegister``."""
    if (found := session.get(System, what)) is not None:
        officers = responsibility.officers(session, system=SystemId(what), at=at)
        return {"system": f"{found.id} {found.name}", "domain": found.domain, **_lines(officers)}
    if (area := session.get(SecurityDomain, what) or domain.find_by_address(session, what)) is not None:
        officers = responsibility.officers(session, domain=DomainId(area.id), at=at)
        return {"domain": f"{area.id} {area.name}", **_lines(officers)}
    if (human := person.find(session, what)) is not None:
        return _of_person(session, human, at)
    if (held := credential.find(session, Serial(what.lower()))) is not None:
        told = {"certificate": f"{held.serial} ({held.state})", "holder": held.holder}
        human, device = person.find(session, held.holder), session.get(Device, held.holder)
        if human is not None:
            return {**told, **_of_person(session, human, at)}
        if device is not None:
            officers = responsibility.officers(session, system=SystemId(device.system), at=at)
            return {**told, "system": system.get(session, SystemId(device.system)).name, **_lines(officers)}
        return told
    raise NotInRegister(f"`{what}` is no system, domain, person, address or certificate of ours")


def _of_person(session: Session, human: Person, at: datetime) -> Summary:
    department = organisation.get(session, OrganisationId(human.organisation))
    officers = responsibility.officers(session, domain=DomainId(human.domain), at=at)
    return {
        "person": f"{human.id} {human.name}",
        "organisation": department.name,
        "domain": human.domain,
        **_lines(officers),
    }


def _lines(officers: Officers) -> Summary:
    return {"in_charge": f"主管 {officers.in_charge}", "operating": f"运行 {officers.operating}"}
