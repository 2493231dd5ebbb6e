"""From an entry to the rows of the present: one row in its own table, and what hangs on it (addresses, memberships)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, SQLModel, select

from core.clock import from_rfc3339
from core.registry import grading
from core.registry.models import (
    AddressRange,
    Agreement,
    Application,
    DataElement,
    Device,
    DomainMembership,
    Organisation,
    Person,
    Post,
    SecurityDomain,
    System,
)
from core.registry.province import (
    AgreementEntry,
    ApplicationEntry,
    DeviceEntry,
    DomainEntry,
    ElementEntry,
    Entry,
    OrganisationEntry,
    PersonEntry,
    PostEntry,
    SystemEntry,
)

#: What acts of their own say, and never a file.
_ACTS = {"suspended", "left_at", "ended_at", "state", "digest"}

#: The table of each kind.
TABLES: Mapping[str, type[SQLModel]] = {
    "organisation": Organisation,
    "post": Post,
    "domain": SecurityDomain,
    "person": Person,
    "system": System,
    "device": Device,
    "application": Application,
    "element": DataElement,
    "agreement": Agreement,
}


def enter(session: Session, kind: str, entry: Entry) -> None:
    """Insert the row of ``entry``, or change what differs in the row that is there, with what hangs on it."""
    row = _row(entry)
    found = session.get(TABLES[kind], entry.id)
    if found is None:
        session.add(row)
    else:
        found.sqlmodel_update(row.model_dump(exclude=_ACTS))
        session.add(found)
    session.flush()


def free_names(session: Session, domains: Sequence[str]) -> None:
    """Take the name spaces of ``domains`` back before they get new ones: two may change names with each other."""
    for identifier in domains:
        row = session.get(SecurityDomain, identifier)
        if row is not None:
            row.name_space = f"{identifier}.invalid"
            session.add(row)
    session.flush()


def hang(session: Session, entry: Entry) -> None:
    """Set the addresses of a domain, or the memberships of a person: when every domain is entered."""
    if isinstance(entry, DomainEntry):
        _set_addresses(session, entry)
    elif isinstance(entry, PersonEntry):
        _set_memberships(session, entry)


def end(session: Session, kind: str, identifier: str, at: datetime) -> None:
    """Mark a row as ended; names and addresses are free for others."""
    row = session.get_one(TABLES[kind], identifier)
    row.sqlmodel_update({"left_at" if kind == "person" else "ended_at": at})
    if isinstance(row, Agreement):
        row.state = "ended"
    if isinstance(row, SecurityDomain):
        # Names and addresses are free for others; what they were is in the version (RFC 2606: .invalid is nobody's).
        row.name_space = f"{identifier}.invalid"
        for held in session.exec(select(AddressRange).where(AddressRange.domain == identifier)):
            session.delete(held)
    session.add(row)
    session.flush()


def _row(entry: Entry) -> SQLModel:
    made: SQLModel
    match entry:
        case OrganisationEntry():
            made = Organisation(id=entry.id, name=entry.name, tier=entry.tier, parent=entry.parent)
        case PostEntry():
            made = Post(id=entry.id, title=entry.title, organisation=entry.organisation)
        case DomainEntry():
            made = _domain(entry)
        case PersonEntry():
            made = _person(entry)
        case SystemEntry():
            made = _system(entry)
        case DeviceEntry():
            made = Device(id=entry.id, kind=entry.kind, name=entry.name, system=entry.system)
        case ApplicationEntry():
            made = _application(entry)
        case ElementEntry():
            made = _element(entry)
        case AgreementEntry():
            made = _agreement(entry)
    return made


def _application(entry: ApplicationEntry) -> Application:
    return Application(id=entry.id, name=entry.name, system=entry.system, device=entry.device, host=entry.host)


def _domain(entry: DomainEntry) -> SecurityDomain:
    return SecurityDomain(
        id=entry.id,
        name=entry.name,
        network=entry.network,
        level=entry.level,
        ceiling=entry.ceiling,
        name_space=entry.name_space,
        organisation=entry.organisation,
        parent=entry.parent,
        in_charge_post=entry.in_charge,
        operating_post=entry.operating,
    )


def _person(entry: PersonEntry) -> Person:
    return Person(
        id=entry.id,
        name=entry.name,
        organisation=entry.organisation,
        domain=entry.domain,
        clearance=entry.clearance,
        contact=entry.contact,
    )


def _system(entry: SystemEntry) -> System:
    graded = grading.grade(entry.information, entry.service)
    return System(
        id=entry.id,
        name=entry.name,
        domain=entry.domain,
        organisation=entry.organisation,
        in_charge_post=entry.in_charge,
        operating_post=entry.operating,
        level=graded.level,
        information_level=graded.information,
        service_level=graded.service,
    )


def _element(entry: ElementEntry) -> DataElement:
    return DataElement(
        id=entry.id,
        name=entry.name,
        source=entry.source,
        system=entry.system,
        classification=entry.classification,
        sharing=entry.sharing,
        update=entry.update,
    )


def _agreement(entry: AgreementEntry) -> Agreement:
    return Agreement(
        id=entry.id,
        title=entry.title,
        giver=entry.from_,
        receiver=entry.to,
        method=entry.method,
        since=from_rfc3339(entry.since),
        until=from_rfc3339(entry.until),
        in_charge_post=entry.in_charge,
        operating_post=entry.operating,
        received_by_post=entry.received_by,
    )


def _set_addresses(session: Session, domain: DomainEntry) -> None:
    for cidr in domain.addresses:
        found = session.get(AddressRange, cidr)
        if found is None or found.domain != domain.id:
            session.merge(AddressRange(cidr=cidr, domain=domain.id))
    for row in session.exec(select(AddressRange).where(AddressRange.domain == domain.id)):
        if row.cidr not in domain.addresses:
            session.delete(row)
    session.flush()


def _set_memberships(session: Session, person: PersonEntry) -> None:
    statement = select(DomainMembership).where(DomainMembership.person == person.id)
    held = {row.domain: row for row in session.exec(statement)}
    for domain in person.member_of:
        if domain not in held:
            session.add(DomainMembership(person=person.id, domain=domain))
    for domain, row in held.items():
        if domain not in person.member_of:
            session.delete(row)
    session.flush()
