"""Cedar's entities for one question, read from the register at the moment of the decision.

Nothing is kept between decisions, so a suspension, a role that ended or a lost membership bites at the next request.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from authz.application import KnownResource
from authz.engine import AttributeValue, Entity, Reference, Uid
from core.identity import SITE, DomainId, PersonId, Principal, SubjectKind
from core.registry import responsibility, role
from core.registry.models import Device, DomainMembership, Person, RoleAssignment, SecurityDomain

#: The installation itself, which the management interface belongs to.
INSTALLATION: Uid = ("Installation", SITE)


@dataclass(frozen=True, slots=True)
class Subject:
    """The principal as the policies see it; ``clearance`` is 0 for what is not a person.

    ``conflict`` names two roles on the installation that exclude each other, when somebody holds such a pair.
    """

    uid: Uid
    entities: tuple[Entity, ...]
    clearance: int = 0
    conflict: tuple[str, str] | None = None


def find_subject(session: Session, principal: Principal, at: datetime) -> Subject | None:
    """Return the principal's entities, or nothing when the register does not know it."""
    if principal.kind is SubjectKind.PERSON:
        return _person(session, principal.identifier, at)
    if principal.kind is SubjectKind.BOOTSTRAP:
        uid, office = ("Bootstrap", principal.identifier), ("Role", f"{SITE}/bootstrap")
        return Subject(uid, (Entity(uid, {}, (office,)), Entity(office)))
    return _device(session, principal)


def find_resource(session: Session, known: KnownResource) -> tuple[Uid, tuple[Entity, ...]] | None:
    """Return the resource's entities, or nothing when the register does not know its domain."""
    domain = session.get(SecurityDomain, known.domain)
    if domain is None:
        return None
    uid, home = ("Resource", f"{known.resource.type}/{known.resource.id}"), ("SecurityDomain", domain.id)
    attributes: dict[str, AttributeValue] = {
        "kind": known.resource.type,
        "level": known.resource.level,
        "domain": Reference(home),
    }
    return uid, (Entity(uid, attributes, (home,)), _domain(domain))


def installation() -> tuple[Uid, tuple[Entity, ...]]:
    """Return the installation as a resource."""
    return INSTALLATION, (Entity(INSTALLATION),)


def merge(*groups: tuple[Entity, ...]) -> list[Entity]:
    """Join entities, each once: a person's domain is often the resource's too."""
    return list({entity.uid: entity for group in groups for entity in group}.values())


def _person(session: Session, identifier: str, at: datetime) -> Subject | None:
    person = session.get(Person, identifier)
    if person is None:
        return None
    names = _roles(session, identifier, at)
    conflict = role.conflict([name for domain, name in names if domain == SITE])
    if responsibility.holds_post(session, PersonId(identifier), at):
        # A post is no role; whoever holds one has duties, and decides on what concerns it.
        names.append((SITE, "post-holder"))
    roles = [Entity(("Role", f"{domain}/{name}")) for domain, name in names]
    domains = [_domain(one) for one in _memberships(session, identifier)]
    uid = ("Person", person.id)
    attributes: dict[str, AttributeValue] = {
        "clearance": person.clearance,
        "domains": tuple(Reference(domain.uid) for domain in domains),
        # Whoever left is suspended for good.
        "suspended": person.suspended or person.left_at is not None,
    }
    entity = Entity(uid, attributes, tuple(one.uid for one in roles))
    return Subject(uid, (entity, *roles, *domains), person.clearance, conflict)


def _device(session: Session, principal: Principal) -> Subject | None:
    device = session.get(Device, principal.identifier)
    if device is None or device.kind != principal.kind.value:
        return None
    uid = ("Device", device.id)
    return Subject(uid, (Entity(uid, {"kind": device.kind}),))


def _domain(domain: SecurityDomain) -> Entity:
    attributes = {"level": domain.level, "ceiling": domain.ceiling, "suspended": domain.suspended}
    return Entity(("SecurityDomain", domain.id), attributes)


def _roles(session: Session, person: str, at: datetime) -> list[tuple[DomainId, str]]:
    open_ended = col(RoleAssignment.until).is_(None)
    statement = select(RoleAssignment).where(
        RoleAssignment.person == person,
        RoleAssignment.since <= at,
        or_(open_ended, col(RoleAssignment.until) > at),
    )
    return sorted({(DomainId(one.domain), one.role) for one in session.exec(statement)})


def _memberships(session: Session, person: str) -> list[SecurityDomain]:
    statement = (
        select(SecurityDomain)
        .join(DomainMembership, col(DomainMembership.domain) == col(SecurityDomain.id))
        .where(DomainMembership.person == person)
    )
    return sorted(session.exec(statement), key=lambda domain: domain.id)
