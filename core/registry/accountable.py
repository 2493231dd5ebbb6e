"""What the evidence asks of the register, answered from its tables (the port ``core.ledger.register.Register``)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, select

from core.ledger.register import Answerable, Known
from core.ledger.retention import Retention, shipped
from core.registry import history, levels, responsibility
from core.registry.credential import Credential
from core.registry.errors import NoOfficer
from core.registry.models import Organisation, Person, SecurityDomain
from core.registry.province import DomainEntry


class RegisterOfRecord:
    """Implements ``Register``."""

    def levels(self, session: Session) -> Mapping[str, int]:
        """Return the protection level of every domain."""
        return dict(session.exec(select(SecurityDomain.id, SecurityDomain.level)).all())

    def expiries(self, session: Session, at: datetime) -> Mapping[str, datetime]:
        """Return when each certificate expires that there was at a time, by serial number."""
        found = select(Credential.serial, Credential.not_after).where(Credential.not_before <= at)
        return dict(session.exec(found).all())

    def person(self, session: Session, identifier: str) -> Known | None:
        """Return a person with their department, or nothing."""
        joined = select(Person, Organisation).where(Person.organisation == Organisation.id, Person.id == identifier)
        found = session.exec(joined).first()
        if found is None:
            return None
        person, organisation = found
        return Known(person.id, person.name, organisation.id, organisation.name, person.domain)

    def answerable(self, session: Session, domain: str, at: datetime) -> Sequence[Answerable]:
        """Return who was in charge and who operated a domain at a time: the posts of then, held by whoever did then."""
        entry = history.find(session, "domain", domain, at)
        if not isinstance(entry, DomainEntry):
            return []
        duties = (("主管", entry.in_charge), ("运行", entry.operating))
        found = (_holder(session, duty, post, at) for duty, post in duties)
        return [one for one in found if one is not None]


def retention() -> Retention:
    """Return the numbers of the retention, its days by level from the reviewed table of levels."""
    return shipped({level: levels.value("retention_days", level) for level in levels.LEVELS})


def _holder(session: Session, duty: str, post: str, at: datetime) -> Answerable | None:
    holding = responsibility.find_holding(session, post, at)
    if holding is None:
        return None
    try:
        one = responsibility.holder(session, post, at)
    except NoOfficer:
        return None
    return Answerable(duty, one.post, one.title, one.person, one.name, one.organisation, holding.since, one.basis)
