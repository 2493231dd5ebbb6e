"""Roles: in a domain, or on ``site`` for the installation itself; the three administrators are disjoint people."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from core.errors import Malformed
from core.identity import SITE, DomainId, PersonId
from core.ledger import evidence
from core.ledger.entry import Event
from core.registry import domain as domains
from core.registry import person as people
from core.registry.errors import NotInRegister, SeparationOfDuties
from core.registry.models import Person, RoleAssignment, SecurityDomain
from core.rule import DISJOINT, VACANT

#: The three administrators (三员): no person holds two of them.
ADMINISTRATORS = ("system-administrator", "security-administrator", "auditor")

#: Every other role on the site.
OFFICES = ("registration-officer", "analyst", "recovery-operator")


def roles(session: Session, person: PersonId, at: datetime) -> frozenset[tuple[str, str]]:
    """Return the pairs of domain and role that a person held at a time."""
    return frozenset((row.domain, row.role) for row in _current(session, at) if row.person == person)


def on_site(session: Session, person: PersonId, at: datetime) -> tuple[str, ...]:
    """Return the roles that the person holds on the installation at a time, by name."""
    return tuple(sorted(name for where, name in roles(session, person, at) if where == SITE))


def held(session: Session, at: datetime) -> Sequence[tuple[str, str, str]]:
    """Return (person, domain, role) of everybody at a time."""
    return [(row.person, row.domain, row.role) for row in _current(session, at)]


def assignments(session: Session, at: datetime) -> Sequence[RoleAssignment]:
    """Return the assignments in force at a time, by person."""
    return sorted(_current(session, at), key=lambda row: (row.person, row.domain, row.role))


def hold_offices(session: Session) -> None:
    """Let nobody else end a role on the site before the caller's transaction ends: acts rest on any of them.

    Whoever waited here sees, at a time taken afterwards, what the others did.
    """
    offices = select(RoleAssignment.number).where(RoleAssignment.domain == SITE)
    session.exec(offices.order_by(col(RoleAssignment.number)).with_for_update()).all()


def appoint(session: Session, *, person: PersonId, role: str, giver: str, at: datetime) -> bool:
    """Appoint one of the three administrators; say whether that was news. Raises ``SeparationOfDuties``."""
    if role not in ADMINISTRATORS:
        raise Malformed(f"`{role}` is none of {', '.join(ADMINISTRATORS)}")
    return _give(session, person=person, domain=SITE, role=role, giver=giver, at=at, event="registry.role.appointed")


def check_office(role: str, domain: str) -> None:
    """Raise ``Malformed`` for a role on the site that one person alone does not give or take."""
    if domain == SITE and role not in OFFICES:
        hint = "the three administrators come and go by two people, see `guosuo role replace --help`"
        raise Malformed(f"`{role}` is none of {', '.join(OFFICES)}", hint=hint)


def check_vacant(session: Session, role: str, person: PersonId, at: datetime) -> None:
    """Raise ``SeparationOfDuties`` when somebody else than ``person`` is in this office."""
    others = sorted({who for who, where, name in held(session, at) if (where, name) == (SITE, role) and who != person})
    if others:
        raise SeparationOfDuties(
            f"`{others[0]}` is {role} already",
            hint="an administrator proposes `guosuo role replace`, another one approves it",
            rule=str(VACANT),
            about=f"person:{person}",
        )


def assign(session: Session, *, person: PersonId, domain: str, role: str, giver: str, at: datetime) -> bool:
    """Give a role in a domain, or an office on the site; say whether that was news. Raises ``SeparationOfDuties``."""
    if domain == SITE and role in ADMINISTRATORS:
        # Whoever reaches for a second of the three is told the rule, and it is on record; a first takes two people.
        check_separation(on_site(session, person, at), role, person)
    check_office(role, domain)
    if domain != SITE and session.get(SecurityDomain, domain) is None:
        domains.get(session, DomainId(domain))
    return _give(session, person=person, domain=domain, role=role, giver=giver, at=at, event="registry.role.assigned")


def withdraw(session: Session, *, person: PersonId, domain: str, role: str, actor: str, at: datetime) -> None:
    """End a role now. Raises ``NotInRegister`` when the person does not hold it."""
    for row in _current(session, at):
        if (row.person, row.domain, row.role) == (person, domain, role):
            row.until = at
            session.add(row)
            event = Event("registry.role.withdrawn", actor, f"person:{person}", domain, details={"role": role})
            evidence.append(session, event, at=at)
            return
    raise NotInRegister(f"`{person}` does not hold `{role}` in `{domain}`")


def check_separation(held_roles: Sequence[str], role: str, person: str) -> None:
    """Raise ``SeparationOfDuties`` when ``role`` may not join the site roles that somebody holds already. Pure."""
    for other in held_roles:
        if _exclude(other, role):
            raise SeparationOfDuties(
                f"`{person}` is {other} and may not be {role} as well: the three administrators are disjoint people, "
                "and an auditor holds no other office",
                hint="appoint somebody else",
                rule=str(DISJOINT),
                about=f"person:{person}",
            )


def conflict(held_roles: Sequence[str]) -> tuple[str, str] | None:
    """Return two site roles of one person that exclude each other, or nothing. Pure.

    Assignment refuses them, so such a pair came by another way: a restored store, somebody's hand in the database.
    """
    pairs = ((one, other) for one in sorted(held_roles) for other in sorted(held_roles) if one < other)
    return next((pair for pair in pairs if _exclude(*pair)), None)


def _exclude(one: str, other: str) -> bool:
    administrators = one in ADMINISTRATORS and other in ADMINISTRATORS
    return one != other and (administrators or "auditor" in (one, other))


def _give(session: Session, *, person: PersonId, domain: str, role: str, giver: str, at: datetime, event: str) -> bool:
    # Locked, so that two acts at once cannot give one person two offices that exclude each other.
    session.exec(select(Person.id).where(Person.id == person).with_for_update()).all()
    people.get_able(session, person, hold=True)
    current = roles(session, person, at)
    if (domain, role) in current:
        return False
    if domain == SITE:
        check_separation([name for where, name in current if where == SITE], role, person)
    session.add(RoleAssignment(person=person, domain=domain, role=role, since=at, giver=giver))
    made = Event(event, giver, f"person:{person}", domain, details={"role": role})
    evidence.append(session, made, at=at)
    return True


def _current(session: Session, at: datetime) -> list[RoleAssignment]:
    statement = (
        select(RoleAssignment)
        .where(RoleAssignment.since <= at)
        .where(or_(col(RoleAssignment.until).is_(None), col(RoleAssignment.until) > at))
    )
    return list(session.exec(statement))
