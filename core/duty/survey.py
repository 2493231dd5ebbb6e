"""The register and the duties as values, for rules that are pure; and which posts answer for what."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from core.duty import duty
from core.duty.orphan import Answered, Facts
from core.identity import SITE, DomainId, SubjectKind, SystemId
from core.registry import domain as domains
from core.registry import role
from core.registry import system as systems
from core.registry.errors import NoOfficer
from core.registry.models import Agreement, Device, Person, Post, PostHolding, SecurityDomain, System


def facts(session: Session, at: datetime) -> Facts:
    """Return what ``core.duty.orphan`` judges."""
    return Facts(
        posts={
            post.id: post.title
            for post in session.exec(select(Post).where(col(Post.ended_at).is_(None)).order_by(Post.id))
        },
        holders=holders(session, at),
        left=frozenset(session.exec(select(Person.id).where(col(Person.left_at).is_not(None)))),
        things=_things(session),
        roles=sorted(role.held(session, at)),
        duties=[(one.id, one.title, one.post) for one in duty.waiting(session)],
    )


def holders(session: Session, at: datetime) -> dict[str, str]:
    """Return who held each post at a time."""
    statement = select(PostHolding).where(
        PostHolding.since <= at, or_(col(PostHolding.until).is_(None), col(PostHolding.until) > at)
    )
    return {row.post: row.person for row in session.exec(statement.order_by(col(PostHolding.since)))}


def site_system(session: Session) -> System:
    """Return the system that this installation is: the one of its service device. Raises ``NoOfficer``."""
    statement = select(Device).where(Device.kind == SubjectKind.SERVICE.value).order_by(Device.id)
    found = session.exec(statement).first()
    if found is None:
        raise NoOfficer("no device of the kind `service` stands for this installation", hint="enter it in the register")
    return systems.get(session, SystemId(found.system))


def operating_post(session: Session, domain: str) -> str:
    """Return the post that operates a domain; of ``site``, or a domain that there is not, the installation's own."""
    found = session.get(SecurityDomain, domain)
    return found.operating_post if found is not None else site_system(session).operating_post


def device_post(session: Session, device: str) -> tuple[str, str]:
    """Return the post that operates a device, and its domain; the installation's own for what is not known."""
    found = session.get(Device, device)
    owner = site_system(session) if found is None else systems.get(session, SystemId(found.system))
    return owner.operating_post, owner.domain


def chain(session: Session, domain: str) -> list[str]:
    """Return the posts in charge (主管) of a domain, of those above it, and of the installation."""
    posts: list[str] = []
    current = session.get(SecurityDomain, domain) if domain != SITE else None
    while current is not None:
        posts.append(current.in_charge_post)
        current = domains.get(session, DomainId(current.parent)) if current.parent else None
    return [*posts, site_system(session).in_charge_post]


def _things(session: Session) -> Sequence[Answered]:
    systems_ = session.exec(select(System).where(col(System.ended_at).is_(None)).order_by(System.id))
    owners = {one.id: one for one in systems_}
    domains_ = select(SecurityDomain).where(col(SecurityDomain.ended_at).is_(None)).order_by(SecurityDomain.id)
    found = [
        Answered("domain", one.id, one.name, (one.in_charge_post, one.operating_post)) for one in session.exec(domains_)
    ]
    found += [Answered("system", one.id, one.name, (one.in_charge_post, one.operating_post)) for one in owners.values()]
    for device in session.exec(select(Device).where(col(Device.ended_at).is_(None)).order_by(Device.id)):
        owner = owners.get(device.system)
        # A device that outlived its system has nobody: that is told as well.
        posts = (owner.in_charge_post, owner.operating_post) if owner is not None else (device.system,)
        found.append(Answered("device", device.id, device.name, posts))
    found += [
        Answered("agreement", one.id, one.title, (one.in_charge_post, one.operating_post, one.received_by_post))
        for one in session.exec(select(Agreement).where(col(Agreement.ended_at).is_(None)).order_by(Agreement.id))
    ]
    return found
