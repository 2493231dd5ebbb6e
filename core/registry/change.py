"""Apply a province to the register: what is new is entered, what differs is changed, nothing is ever deleted.

One transaction of the caller's: the register holds the whole file or nothing of it. History is kept: a new holder of a
post ends the old holding and begins another; what left the file stays, and is listed as missing from it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from sqlmodel import Session, SQLModel, col, select

from core.ledger import evidence
from core.ledger.entry import Event
from core.registry.models import (
    AddressRange,
    Device,
    DomainMembership,
    Organisation,
    Person,
    Post,
    PostHolding,
    RoleAssignment,
    SecurityDomain,
    System,
)
from core.registry.province import DomainEntry, PersonEntry, PostEntry, Province

Thing = TypeVar("Thing")


class Identified(Protocol):
    """Whatever has an id."""

    @property
    def id(self) -> str:
        """The id in the register."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What applying a file changes (or changed): ``kind:id`` each, in the order of the file."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the register already says what the file says."""
        return not self.added and not self.changed


def apply(session: Session, province: Province, *, actor: str, at: datetime) -> Change:
    """Enter ``province`` and append what happened. Applying the same file again changes nothing and records nothing."""
    worker = _Worker(session, actor, at)
    # Locked, so that of two files at once the second is compared with what the first has made.
    session.exec(select(Post.id).order_by(Post.id).with_for_update()).all()
    _enter_rows(worker, province)
    for domain in province.domains:
        _set_addresses(worker, domain)
    for post in province.posts:
        _set_holder(worker, post)
    for person in province.people:
        _set_memberships(worker, person)
        _set_roles(worker, person)
    change = Change(tuple(worker.added), tuple(worker.changed), _missing(session, province))
    if not change.is_empty:
        worker.record(
            "registry.province.applied",
            "register:province",
            {"digest": province.digest, "added": len(change.added), "changed": len(change.changed)},
        )
    return change


class _Worker:
    """Enters rows and remembers what it did."""

    def __init__(self, session: Session, actor: str, at: datetime) -> None:
        self.session = session
        self.at = at
        self.added: list[str] = []
        self.changed: list[str] = []
        self.actor = actor

    def enter(self, kind: str, row: SQLModel, identifier: str) -> None:
        """Insert ``row``, or change what differs in the row that is there."""
        found = self.session.get(type(row), identifier)
        if found is None:
            self.session.add(row)
            self.session.flush()
            self._note(self.added, kind, identifier, "entered")
            return
        # To suspend and to leave are not the file's to say: they are acts of their own.
        differs = {
            name: value
            for name, value in row.model_dump(exclude={"suspended", "left_at"}).items()
            if getattr(found, name) != value
        }
        if differs:
            found.sqlmodel_update(differs)
            self.session.add(found)
            self.session.flush()
            self._note(self.changed, kind, identifier, "changed")

    def note_change(self, kind: str, identifier: str) -> None:
        """Record that something hanging on an entry changed."""
        if f"{kind}:{identifier}" not in (*self.added, *self.changed):
            self._note(self.changed, kind, identifier, "changed")

    def record(self, type_: str, object_: str, details: dict[str, str | int]) -> None:
        """Append one event."""
        event = Event(type_, self.actor, object_, details=details)
        evidence.append(self.session, event, at=self.at)

    def _note(self, where: list[str], kind: str, identifier: str, verb: str) -> None:
        where.append(f"{kind}:{identifier}")
        self.record(f"registry.{kind}.{verb}", f"{kind}:{identifier}", {})


def _enter_rows(worker: _Worker, province: Province) -> None:
    # In the order of references; organisations and domains with parents first.
    for organisation in _parents_first([(o.id, o.parent, o) for o in province.organisations]):
        row = Organisation(
            id=organisation.id, name=organisation.name, tier=organisation.tier, parent=organisation.parent
        )
        worker.enter("organisation", row, organisation.id)
    for post in province.posts:
        worker.enter("post", Post(id=post.id, title=post.title, organisation=post.organisation), post.id)
    for domain in _parents_first([(d.id, d.parent, d) for d in province.domains]):
        worker.enter("domain", _domain_row(domain), domain.id)
    for person in province.people:
        row_ = Person(
            id=person.id,
            name=person.name,
            organisation=person.organisation,
            domain=person.domain,
            clearance=person.clearance,
            contact=person.contact,
        )
        worker.enter("person", row_, person.id)
    for system in province.systems:
        system_row = System(
            id=system.id,
            name=system.name,
            domain=system.domain,
            organisation=system.organisation,
            in_charge_post=system.in_charge,
            operating_post=system.operating,
        )
        worker.enter("system", system_row, system.id)
    for device in province.devices:
        device_row = Device(id=device.id, kind=device.kind, name=device.name, system=device.system)
        worker.enter("device", device_row, device.id)


def _domain_row(entry: DomainEntry) -> SecurityDomain:
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


def _parents_first(entries: Sequence[tuple[str, str | None, Thing]]) -> list[Thing]:
    """Order entries so that each comes after its parent; there are no cycles in a parsed province."""
    waiting, done, ordered = list(entries), set[str](), []
    while waiting:
        for entry in list(waiting):
            identifier, parent, thing = entry
            if parent is None or parent in done or all(other[0] != parent for other in waiting):
                ordered.append(thing)
                done.add(identifier)
                waiting.remove(entry)
    return ordered


def _set_addresses(worker: _Worker, domain: DomainEntry) -> None:
    for cidr in domain.addresses:
        found = worker.session.get(AddressRange, cidr)
        if found is None or found.domain != domain.id:
            worker.session.merge(AddressRange(cidr=cidr, domain=domain.id))
            worker.note_change("domain", domain.id)
    held = worker.session.exec(select(AddressRange).where(AddressRange.domain == domain.id)).all()
    for row in held:
        if row.cidr not in domain.addresses:
            worker.session.delete(row)
            worker.note_change("domain", domain.id)
    worker.session.flush()


def _set_holder(worker: _Worker, post: PostEntry) -> None:
    statement = select(PostHolding).where(PostHolding.post == post.id, col(PostHolding.until).is_(None))
    held = worker.session.exec(statement).first()
    if held is not None and held.person == post.holder:
        return
    if held is not None:
        held.until = worker.at
        worker.session.add(held)
        worker.note_change("post", post.id)
    worker.session.add(PostHolding(post=post.id, person=post.holder, since=worker.at, basis=post.basis))
    worker.session.flush()
    worker.record("registry.post.filled", f"post:{post.id}", {"person": post.holder, "basis": post.basis})


def _set_memberships(worker: _Worker, person: PersonEntry) -> None:
    statement = select(DomainMembership).where(DomainMembership.person == person.id)
    held = {row.domain: row for row in worker.session.exec(statement)}
    for domain in person.member_of:
        if domain not in held:
            worker.session.add(DomainMembership(person=person.id, domain=domain))
            worker.note_change("person", person.id)
    for domain, row in held.items():
        if domain not in person.member_of:
            worker.session.delete(row)
            worker.note_change("person", person.id)
    worker.session.flush()


def _set_roles(worker: _Worker, person: PersonEntry) -> None:
    """Set the roles in domains; those on the site are assigned by an act of their own and never by the file."""
    statement = select(RoleAssignment).where(
        RoleAssignment.person == person.id, RoleAssignment.domain != "site", col(RoleAssignment.until).is_(None)
    )
    held = {(row.domain, row.role): row for row in worker.session.exec(statement)}
    for domain, role in person.roles:
        if (domain, role) not in held:
            worker.session.add(
                RoleAssignment(person=person.id, domain=domain, role=role, since=worker.at, giver=worker.actor)
            )
            worker.note_change("person", person.id)
    for key, row in held.items():
        if key not in person.roles:
            row.until = worker.at
            worker.session.add(row)
            worker.note_change("person", person.id)
    worker.session.flush()


def _missing(session: Session, province: Province) -> tuple[str, ...]:
    return tuple(
        sorted(
            [
                *_left_out("organisation", session.exec(select(Organisation.id)), province.organisations),
                *_left_out("domain", session.exec(select(SecurityDomain.id)), province.domains),
                *_left_out("person", session.exec(select(Person.id)), province.people),
                *_left_out("system", session.exec(select(System.id)), province.systems),
            ]
        )
    )


def _left_out(kind: str, held: Iterable[str], entries: Iterable[Identified]) -> list[str]:
    named = {entry.id for entry in entries}
    return [f"{kind}:{identifier}" for identifier in held if identifier not in named]
