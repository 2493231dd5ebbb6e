"""Who answers: 谁主管谁负责, 谁运行谁负责, as of a time."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from core.identity import DomainId, PersonId, SystemId
from core.registry import history
from core.registry.errors import NoOfficer
from core.registry.models import Post, PostHolding
from core.registry.province import DomainEntry, OrganisationEntry, PersonEntry, PostEntry, SystemEntry


@dataclass(frozen=True, slots=True)
class OfficerRef:
    """A post and the person who held it at the time asked for, by which appointing act."""

    post: str
    title: str
    person: str
    name: str
    organisation: str
    basis: str = "-"

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
    """Return who answered for a system, or for a domain, at a time: the posts of then, held by whoever held them then.

    Raises ``NotInRegister`` for what was not in the register then, ``NoOfficer`` when nobody held a post.
    """
    if system is not None:
        entry = history.get(session, "system", system, at)
    else:
        entry = history.get(session, "domain", domain or "", at)
    assert isinstance(entry, SystemEntry | DomainEntry)
    return Officers(holder(session, entry.in_charge, at), holder(session, entry.operating, at))


def holds_post(session: Session, person: PersonId, at: datetime) -> bool:
    """Say whether a person holds any post at a time."""
    statement = (
        select(PostHolding.number)
        .where(PostHolding.person == person, PostHolding.since <= at)
        .where(or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at))
    )
    return session.exec(statement.limit(1)).first() is not None


def holder(session: Session, post: str, at: datetime) -> OfficerRef:
    """Return who held ``post`` at a time, under the names of then. Raises ``NoOfficer`` when nobody did."""
    held = find_holding(session, post, at)
    office = history.find(session, "post", post, at)
    person = history.last(session, "person", held.person, at) if held is not None else None
    if held is None or not isinstance(office, PostEntry) or not isinstance(person, PersonEntry):
        detail = f"nobody held the post `{post}` at that time"
        raise NoOfficer(detail, hint="fill the post: `guosuo register handover POST --to PERSON --basis ACT`")
    department = history.find(session, "organisation", office.organisation, at)
    name = department.name if isinstance(department, OrganisationEntry) else office.organisation
    return OfficerRef(office.id, office.title, person.id, person.name, name, held.basis)


def hold_posts(session: Session) -> None:
    """Let nobody else hand a post over, or change the register, before the caller's transaction ends.

    All of them: whoever held some, and then changed the register, would wait for whoever changes it and holds the rest.
    Whoever waited here sees, at a time taken afterwards, what the others did. Who only names a post, as a new duty
    does, waits for nobody: a job names many, in any order, and would wait here for one and be waited for at another.
    """
    session.exec(select(Post.id).order_by(Post.id).with_for_update(key_share=True)).all()


def find_holding(session: Session, post: str, at: datetime) -> PostHolding | None:
    """Return the holding of a post at a time, with the act that appointed, or nothing."""
    statement = (
        select(PostHolding)
        .where(PostHolding.post == post, PostHolding.since <= at)
        .where(or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at))
        .order_by(col(PostHolding.since).desc())
    )
    return session.exec(statement).first()
