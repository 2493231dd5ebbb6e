"""Apply a province or a change set: what is new is entered, what differs is changed, what is ended keeps its history.

One transaction of the caller's: the register holds the whole file or nothing of it. What left a province file stays,
and is listed as missing from it; only a change set ends something.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

<<<<<<< HEAD
from core.identity import SITE
from core.ledger import evidence
from core.ledger.entry import Event, JsonValue
from core.registry import content, difference, ending, entering, history
from core.registry.difference import Change
from core.registry.errors import Fault, RegisterRejected
from core.registry.models import Agreement, Person, Post, PostHolding, RoleAssignment
from core.registry.province import KINDS, Entry, PersonEntry, PostEntry, Province
=======
from core.errors import Rejected
from core.ledger import evidence
from core.ledger.entry import Event
from core.registry import appointment
from core.registry.models import (
    AddressRange,
    Device,
    DomainMembership,
    Organisation,
    Person,
    Post,
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
>>>>>>> refs/heads/main


@dataclass(frozen=True, slots=True)
class Hand:
    """Who changes the register, and when."""

    actor: str
    at: datetime


<<<<<<< HEAD
def apply(
    session: Session, wanted: Province, *, actor: str, at: datetime, ends: Sequence[tuple[str, str]] = ()
) -> Change:
    """Make the register say ``wanted``, end ``ends`` (kind, id), and append what happened.

    Applying the same again changes nothing and records nothing. Raises ``RegisterRejected`` naming lines.
    """
    by = Hand(actor, at)
    lock(session)
    present = history.whole(session, at)
    found = difference.compare(present, wanted)
    change = replace(found, ended=tuple(f"{kind}:{identifier}" for kind, identifier in ends))
    faults = [*_against_register(session, present, wanted, change), *ending.check(session, wanted, ends, at)]
    if faults:
        raise RegisterRejected(faults)
    _enter(session, wanted, change, by)
    for kind, identifier in ends:
        _end(session, kind, identifier, by)
=======
def apply(session: Session, province: Province, *, actor: str, at: datetime) -> Change:
    """Enter ``province`` and append what happened. Applying the same file again changes nothing and records nothing."""
    worker = _Worker(session, actor, at)
    # Locked, so that of two files at once the second is compared with what the first has made.
    session.exec(select(Post.id).order_by(Post.id).with_for_update()).all()
    _refuse_who_left(session, province)
    _enter_rows(worker, province)
    for domain in province.domains:
        _set_addresses(worker, domain)
    for post in province.posts:
        _set_holder(worker, post)
    for person in province.people:
        _set_memberships(worker, person)
        _set_roles(worker, person)
    change = Change(tuple(worker.added), tuple(worker.changed), _missing(session, province))
>>>>>>> refs/heads/main
    if not change.is_empty:
        details: dict[str, JsonValue] = {
            "digest": wanted.digest,
            "added": len(change.added),
            "changed": len(change.changed),
        }
        _record(session, "registry.province.applied", "register:province", details, by)
    return change


def lock(session: Session) -> None:
    """Let nobody else change the register before the caller's transaction ends.

    So that of two files at once the second is compared with what the first has made.
    """
    session.exec(select(Post.id).order_by(Post.id).with_for_update()).all()


<<<<<<< HEAD
def _enter(session: Session, wanted: Province, change: Change, by: Hand) -> None:
    added, touched = set(change.added), {*change.added, *change.changed}
    entries = [
        (kind, entry)
        for kind in KINDS
        for entry in difference.parents_first(kind, tuple(wanted.of(kind)))
        if f"{kind}:{entry.id}" in touched
    ]
    for kind, entry in entries:
        entering.enter(session, kind, entry)
    for _kind, entry in entries:
        entering.hang(session, entry)
        if isinstance(entry, PersonEntry):
            _set_roles(session, entry, by)
    for kind, entry in entries:
        name = f"{kind}:{entry.id}"
        _note(session, kind, entry, () if name in added else tuple(change.fields[name]), by)
    for _kind, entry in entries:
        if isinstance(entry, PostEntry):
            _set_holder(session, entry, by)


def _note(session: Session, kind: str, entry: Entry, fields: tuple[str, ...], by: Hand) -> None:
    """Write the version and its record; a post that only changed hands has a record of its own (``_set_holder``)."""
    if fields and kind == "post" and set(fields) <= {"holder", "basis"}:
        return
    row = history.write(session, kind, entry, actor=by.actor, at=by.at)
    details: dict[str, JsonValue] = {
        "digest": row.digest,
        "since": row.since.isoformat(),
        "content": content.public(entry),
    }
    if fields:
        details["fields"] = list(fields)
    verb = "changed" if fields else "entered"
    record = _record(session, f"registry.{kind}.{verb}", f"{kind}:{entry.id}", details, by)
    if not row.record:
        row.record = record
        session.add(row)
=======
def _refuse_who_left(session: Session, province: Province) -> None:
    """Raise ``Rejected`` when the file gives something to a person who left: it is older than their leaving."""
    left = set(session.exec(select(Person.id).where(col(Person.left_at).is_not(None))))
    given = [f"the post `{post.id}` to `{post.holder}`" for post in province.posts if post.holder in left]
    given += [
        f"domains or roles to `{person.id}`"
        for person in province.people
        if person.id in left and (person.member_of or person.roles)
    ]
    if given:
        detail = f"the file gives {', '.join(given)}, who left"
        raise Rejected(detail, hint="take out whoever left, and name who follows", reason="has-left")


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
    held = appointment.current(worker.session, post.id)
    if held is not None and held.person != post.holder:
        worker.note_change("post", post.id)
    appointment.fill(worker.session, post.id, post.holder, basis=post.basis, actor=worker.actor, at=worker.at)
>>>>>>> refs/heads/main


def _end(session: Session, kind: str, identifier: str, by: Hand) -> None:
    row = history.open_version(session, kind, identifier)
    if row is not None:
        history.close(session, row, by.at)
    ending.release(session, kind, identifier, by.at)
    entering.end(session, kind, identifier, by.at)
    details: dict[str, JsonValue] = {"until": by.at.isoformat()}
    _record(session, f"registry.{kind}.ended", f"{kind}:{identifier}", details, by)


def _set_holder(session: Session, post: PostEntry, by: Hand) -> None:
    statement = select(PostHolding).where(PostHolding.post == post.id, col(PostHolding.until).is_(None))
    held = session.exec(statement).first()
    if held is not None and (held.person, held.basis) == (post.holder, post.basis):
        return
    if held is not None and held.person == post.holder:
        held.basis = post.basis
        session.add(held)
    else:
        fill(session, post.id, post.holder, post.basis, by.at)
    record_holder(session, post.id, post.holder, post.basis, since=by.at, by=by)


def fill(session: Session, post: str, person: str, basis: str, since: datetime) -> None:
    """End the open holding of a post at ``since`` and begin another."""
    statement = select(PostHolding).where(PostHolding.post == post, col(PostHolding.until).is_(None))
    for held in session.exec(statement):
        held.until = since
        session.add(held)
    session.add(PostHolding(post=post, person=person, since=since, basis=basis))
    session.flush()


def record_holder(session: Session, post: str, person: str, basis: str, *, since: datetime, by: Hand) -> None:
    """Append that a post was filled, from ``since`` on."""
    details: dict[str, JsonValue] = {"person": person, "basis": basis, "since": since.isoformat()}
    _record(session, "registry.post.filled", f"post:{post}", details, by)


def _set_roles(session: Session, person: PersonEntry, by: Hand) -> None:
    """Set the roles in domains; those on the site are assigned by an act of their own and never by the file."""
    statement = select(RoleAssignment).where(
        RoleAssignment.person == person.id, RoleAssignment.domain != SITE, col(RoleAssignment.until).is_(None)
    )
    held = {(row.domain, row.role): row for row in session.exec(statement)}
    for domain, role in person.roles:
        if (domain, role) not in held:
            session.add(RoleAssignment(person=person.id, domain=domain, role=role, since=by.at, giver=by.actor))
    for key, row in held.items():
        if key not in person.roles:
            row.until = by.at
            session.add(row)
    session.flush()


def _record(session: Session, type_: str, object_: str, details: dict[str, JsonValue], by: Hand) -> str:
    return evidence.append(session, Event(type_, by.actor, object_, details=details), at=by.at)


def _against_register(session: Session, present: Province, wanted: Province, change: Change) -> Iterator[Fault]:
    """Return what a file may not say because of what the register knows besides."""
    for name in change.added:
        kind, _, identifier = name.partition(":")
        if identifier in history.known(session, kind):
            line = wanted.places.line(kind, identifier, "id")
            verb = "left" if kind == "person" else "ended"
            yield Fault(line, f"{kind} `{identifier}` has {verb}, and an id is never used again", "id", _GONE)
    held = {entry.id: entry.holder for entry in present.posts}
    absent = {person.id for person in session.exec(select(Person)) if person.suspended or person.left_at is not None}
    for post in wanted.posts:
        if post.holder in absent and held.get(post.id) != post.holder:
            line = wanted.places.line("post", post.id, "holder")
            complaint = f"`{post.holder}` is suspended or has left and cannot be given the post `{post.id}`"
            yield Fault(line, complaint, "holder", "name somebody who is in office")
    signed = set(session.exec(select(Agreement.id).where(Agreement.state == "signed")))
    for name in change.changed:
        kind, _, identifier = name.partition(":")
        if kind == "agreement" and identifier in signed:
            line = wanted.places.line(kind, identifier)
            hint = "end it (`end:` in a change set) and enter another with an id of its own"
            yield Fault(line, f"agreement `{identifier}` is signed and cannot be changed", "", hint)


_GONE = "take the entry out of the file, or give what is new an id of its own"
