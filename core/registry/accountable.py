"""What the evidence asks of the register, answered from its tables (the port ``core.ledger.register.Register``)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from core.ledger.register import Answerable, Known
from core.registry.credential import Credential
from core.registry.models import Organisation, Person, Post, PostHolding, SecurityDomain


class RegisterOfRecord:
    """Implements ``Register``."""

    def levels(self, session: Session) -> Mapping[str, int]:
        """Return the protection level of every domain."""
        return dict(session.exec(select(SecurityDomain.id, SecurityDomain.level)).all())

    def expiries(self, session: Session) -> Mapping[str, datetime]:
        """Return when each certificate expires, by serial number."""
        return dict(session.exec(select(Credential.serial, Credential.not_after)).all())

    def person(self, session: Session, identifier: str) -> Known | None:
        """Return a person with their department, or nothing."""
        joined = select(Person, Organisation).where(Person.organisation == Organisation.id, Person.id == identifier)
        found = session.exec(joined).first()
        if found is None:
            return None
        person, organisation = found
        return Known(person.id, person.name, organisation.id, organisation.name, person.domain)

    def answerable(self, session: Session, domain: str, at: datetime) -> Sequence[Answerable]:
        """Return who was in charge and who operated a domain at a time."""
        row = session.get(SecurityDomain, domain)
        if row is None:
            return []
        duties = (("主管", row.in_charge_post), ("运行", row.operating_post))
        found = (_holder(session, duty, post, at) for duty, post in duties)
        return [one for one in found if one is not None]


def _holder(session: Session, duty: str, post: str, at: datetime) -> Answerable | None:
    statement = (
        select(PostHolding, Person, Post, Organisation)
        .where(PostHolding.post == post, PostHolding.since <= at)
        .where(or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at))
        .where(Person.id == PostHolding.person, Post.id == PostHolding.post, Organisation.id == Post.organisation)
        .order_by(col(PostHolding.since).desc())
    )
    found = session.exec(statement).first()
    if found is None:
        return None
    holding, person, held, organisation = found
    return Answerable(
        duty, held.id, held.title, person.id, person.name, organisation.name, holding.since, holding.basis
    )
