"""``guosuo register who``: from whatever is in hand (system, domain, person, address, serial) to who answers for it."""

import ipaddress
from datetime import datetime

from sqlmodel import Session

from core.identity import DomainId, Serial, SystemId
from core.registry import content, credential, history, responsibility
from core.registry.credential import Credential
from core.registry.errors import NotInRegister
from core.registry.province import AgreementEntry, DomainEntry, Entry, PersonEntry, SystemEntry
from core.registry.responsibility import Officers

#: Name and value, in the order they are shown.
Summary = dict[str, str]


def find_responsible(session: Session, what: str, at: datetime) -> Summary:
    """Return who answered for ``what`` at a time, under the names of then. Raises ``NotInRegister``."""
    for kind in ("system", "domain"):
        if (found := history.find(session, kind, what, at)) is not None:
            return _of_place(session, found, at)
    if (area := _at_address(session, what, at)) is not None:
        return _of_place(session, area, at)
    if isinstance(human := history.find(session, "person", what, at), PersonEntry):
        return _of_person(session, human, at)
    for kind in ("device", "application", "element"):
        if (thing := history.find(session, kind, what, at)) is not None:
            return {kind: f"{thing.id} {content.shown(thing)['name']}", **_of_system(session, thing, at)}
    if isinstance(agreed := history.find(session, "agreement", what, at), AgreementEntry):
        charge, operating = (responsibility.holder(session, post, at) for post in (agreed.in_charge, agreed.operating))
        return {"agreement": f"{agreed.id} {agreed.title}", **_lines(Officers(charge, operating))}
    if (held := credential.find(session, Serial(what.lower()))) is not None:
        return {"certificate": f"{held.serial} ({held.state})", "holder": held.holder, **_of_holder(session, held, at)}
    detail = f"`{what[:80]}` is nothing that the register knew at that time, and no address or certificate of ours"
    raise NotInRegister(detail, hint="see `guosuo register list KIND --as-of TIME`")


def _at_address(session: Session, what: str, at: datetime) -> DomainEntry | None:
    """Return the one domain that an address belonged to at a time, or nothing; also for what is no address."""
    try:
        wanted = ipaddress.ip_address(what)
    except ValueError:
        return None
    for area in history.whole(session, at).domains:
        if any(wanted in ipaddress.ip_network(text) for text in area.addresses):
            return area
    return None


def _of_holder(session: Session, held: Credential, at: datetime) -> Summary:
    human, device = (history.find(session, kind, held.holder, at) for kind in ("person", "device"))
    if held.holder_kind == "person" and isinstance(human, PersonEntry):
        return _of_person(session, human, at)
    return _of_system(session, device, at) if device is not None else {}


def _of_place(session: Session, found: Entry, at: datetime) -> Summary:
    if isinstance(found, SystemEntry):
        officers = responsibility.officers(session, system=SystemId(found.id), at=at)
        return {"system": f"{found.id} {found.name}", "domain": found.domain, **_lines(officers)}
    assert isinstance(found, DomainEntry)
    officers = responsibility.officers(session, domain=DomainId(found.id), at=at)
    return {"domain": f"{found.id} {found.name}", **_lines(officers)}


def _of_system(session: Session, thing: Entry, at: datetime) -> Summary:
    system = history.get(session, "system", str(content.shown(thing)["system"]), at)
    return _of_place(session, system, at)


def _of_person(session: Session, human: PersonEntry, at: datetime) -> Summary:
    department = history.find(session, "organisation", human.organisation, at)
    officers = responsibility.officers(session, domain=DomainId(human.domain), at=at)
    return {
        "person": f"{human.id} {human.name}",
        "organisation": str(content.shown(department)["name"]) if department is not None else human.organisation,
        "domain": human.domain,
        **_lines(officers),
    }


def _lines(officers: Officers) -> Summary:
    return {
        "in_charge": f"主管 {officers.in_charge}",
        "operating": f"运行 {officers.operating}",
        "in_charge_basis": officers.in_charge.basis,
        "operating_basis": officers.operating.basis,
    }
