"""Who answers: 谁主管谁负责, 谁运行谁负责, as of a time."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from core.identity import DomainId, PersonId, SystemId
from core.registry import domain as domains
from core.registry import system as systems
from core.registry.errors import NoOfficer
from core.registry.models import Organisation, Person, Post, PostHolding


@dataclass(frozen=True, slots=True)
class OfficerRef:
    """A post and the person who held it at the time asked for."""

    post: str
    title: str
    person: str
    name: str
    organisation: str

    def __str__(self) -> str:
        """Print for people: name, post and organisation."""
        return f"{self.name} ({self.organisation} {self.title})"


@dataclass(frozen=True, slots=True)
class Officers:
    """The officer in charge (主管) and the operating officer (运行)."""

    in_charge: OfficerRef
    operating: OfficerRef


def officers(
    session: Session, *, system: SystemId | None = None, domain: DomainId | None = None, at: datetime
) -> Officers:
    """Return who answered for a system, or for a domain, at a time. Raises ``NotInRegister``, ``NoOfficer``."""
    row = systems.get(session, system) if system is not None else domains.get(session, domain or DomainId(""))
    return Officers(holder(session, row.in_charge_post, at), holder(session, row.operating_post, at))


def holds_post(session: Session, person: PersonId, at: datetime) -> bool:
    """Say whether a person holds any post at a time."""
    statement = (
        select(PostHolding.number)
        .where(PostHolding.person == person, PostHolding.since <= at)
        .where(or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at))
    )
    return session.exec(statement.limit(1)).first() is not None


def holder(session: Session, post: str, at: datetime) -> OfficerRef:
    """Return who held ``post`` at a time. Raises ``NoOfficer`` when nobody did."""
    statement = (
        select(PostHolding, Person, Post, Organisation)
        .where(PostHolding.post == post, PostHolding.since <= at)
        .where(or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at))
        .where(Person.id == PostHolding.person, Post.id == PostHolding.post, Organisation.id == Post.organisation)
        .order_by(col(PostHolding.since).desc())
    )
    found = session.exec(statement).first()
    if found is None:
        raise NoOfficer(f"nobody held the post `{post}` at that time", hint="fill the post in the province file")
    _holding, person, held, organisation = found
    return OfficerRef(held.id, held.title, person.id, person.name, organisation.name)
