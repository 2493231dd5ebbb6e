"""What the register itself says that somebody holds: roles on the site, memberships, posts (``holding.Holder``)."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from core.identity import SITE, DomainId, PersonId
from core.registry import appointment, role
from core.registry.errors import NoSuccessor
from core.registry.holding import Holding
from core.registry.models import Device, DomainMembership, Person, SecurityDomain, System

#: The appointing act that stands beside a post that was handed over because its holder left.
_BASIS = "离岗交接 · handed over when its holder left"


class Tenure:
    """Implements ``core.registry.holding.Holder``; comes last, because others follow the posts."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return a person's roles on the site, memberships and posts; a domain's systems and members; a device's."""
        match kind:
            case "person":
                return [
                    *_roles(session, identifier, at),
                    *_memberships(session, identifier),
                    *_posts(session, identifier, at),
                ]
            case "domain":
                return _of_domain(session, identifier)
            case "device":
                found = session.get(Device, identifier)
                return [] if found is None else [Holding("system", found.system, found.name, "", ends=False)]
            case _:
                return []

    def relinquish(
        self, session: Session, person: PersonId, *, successor: PersonId | None, actor: str, at: datetime
    ) -> Sequence[Holding]:
        """Withdraw the roles, end the memberships, hand the posts over. Raises ``NoSuccessor``."""
        held = self.holdings(session, "person", person, at)
        for one in held:
            match one.kind:
                case "role":
                    role.withdraw(session, person=person, domain=SITE, role=one.title, actor=actor, at=at)
                case "membership":
                    appointment.end_membership(session, person, DomainId(one.identifier), actor=actor, at=at)
                case _:
                    _hand_over(session, one.identifier, successor, actor=actor, at=at)
        return held


def _hand_over(session: Session, post: str, successor: PersonId | None, *, actor: str, at: datetime) -> None:
    if successor is None:
        raise NoSuccessor(f"nobody would hold the post `{post}`", hint="name who follows with --successor")
    appointment.fill(session, post, successor, basis=_BASIS, actor=actor, at=at)


def _roles(session: Session, person: str, at: datetime) -> list[Holding]:
    held = sorted(role.roles(session, PersonId(person), at))
    return [Holding("role", f"{domain}/{name}", name, domain, ends=True) for domain, name in held if domain == SITE]


def _memberships(session: Session, person: str) -> list[Holding]:
    domains = appointment.domains_of(session, person)
    return [Holding("membership", domain.id, domain.name, domain.id, ends=True) for domain in domains]


def _posts(session: Session, person: str, at: datetime) -> list[Holding]:
    return [Holding("post", post.id, post.title, "", ends=False) for post in appointment.posts_of(session, person, at)]


def _of_domain(session: Session, domain: str) -> list[Holding]:
    found = session.get(SecurityDomain, domain)
    if found is None:
        return []
    systems = session.exec(select(System).where(System.domain == domain).order_by(System.id))
    members = session.exec(
        select(Person)
        .join(DomainMembership, col(DomainMembership.person) == col(Person.id))
        .where(DomainMembership.domain == domain)
        .order_by(Person.id)
    )
    return [
        *(Holding("post", post, post, domain, ends=False) for post in (found.in_charge_post, found.operating_post)),
        *(Holding("system", system.id, system.name, domain, ends=False) for system in systems),
        *(Holding("membership", person.id, person.name, domain, ends=True) for person in members),
    ]
