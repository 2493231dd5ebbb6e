"""Posts and memberships change hands: the old holding ends, the next begins, each with its record."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from core.identity import DomainId, PersonId
from core.ledger import evidence
from core.ledger.entry import Event
from core.registry.models import DomainMembership, Post, PostHolding, SecurityDomain


def fill(
    session: Session, post: str, person: str, *, basis: str, actor: str, at: datetime, since: datetime | None = None
) -> bool:
    """Let ``person`` hold ``post`` by an appointing act; say whether that was news.

    ``since`` is when the post changed hands, ``at`` when it is entered: the same when left out.
    """
    held = current(session, post)
    if held is not None and held.person == person and basis in (held.basis, "-"):
        return False
    if held is None or held.person != person:
        vacate(session, post, since or at)
        held = PostHolding(post=post, person=person, since=since or at)
    # Of the same person: the act was named wrongly, or not at all. One that is known is never unnamed.
    held.basis, held.actor = basis, actor
    details = {"person": person, "basis": basis, "since": held.since.isoformat()}
    event = Event("registry.post.filled", actor, f"post:{post}", details=details)
    held.record = evidence.append(session, event, at=at)
    session.add(held)
    session.flush()
    return True


def vacate(session: Session, post: str, until: datetime) -> None:
    """End the open holding of a post, when there is one."""
    held = current(session, post)
    if held is not None:
        held.until = until
        session.add(held)
        session.flush()


def current(session: Session, post: str) -> PostHolding | None:
    """Return who holds a post now, or nothing when it is vacant."""
    return session.exec(select(PostHolding).where(PostHolding.post == post, col(PostHolding.until).is_(None))).first()


def posts_of(session: Session, person: str, at: datetime) -> Sequence[Post]:
    """Return the posts that a person held at a time, by id."""
    statement = (
        select(Post)
        .join(PostHolding, col(PostHolding.post) == col(Post.id))
        .where(PostHolding.person == person, PostHolding.since <= at)
        .where(or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at))
    )
    return sorted(session.exec(statement), key=lambda post: post.id)


def domains_of(session: Session, person: str) -> Sequence[SecurityDomain]:
    """Return the domains that a person is a member of, by id."""
    statement = (
        select(SecurityDomain)
        .join(DomainMembership, col(DomainMembership.domain) == col(SecurityDomain.id))
        .where(DomainMembership.person == person)
    )
    return sorted(session.exec(statement), key=lambda domain: domain.id)


def end_membership(session: Session, person: PersonId, domain: DomainId, *, actor: str, at: datetime) -> None:
    """End a membership now; nothing happens when there is none."""
    row = session.get(DomainMembership, (person, domain))
    if row is None:
        return
    session.delete(row)
    session.flush()
    evidence.append(session, Event("registry.membership.ended", actor, f"person:{person}", domain), at=at)
