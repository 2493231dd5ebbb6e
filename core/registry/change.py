"""Apply a province or a change set: what is new is entered, what differs is changed, what is ended keeps its history.

One transaction of the caller's: the register holds the whole file or nothing of it. What left a province file stays,
and is listed as missing from it; only a change set ends something.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

from core.identity import SITE
from core.ledger import evidence
from core.ledger.entry import Event, JsonValue
from core.registry import admission, appointment, content, difference, entering, history, responsibility
from core.registry.difference import Change
from core.registry.errors import Fault, RegisterRejected
from core.registry.models import RoleAssignment
from core.registry.province import KINDS, Entry, PersonEntry, PostEntry, Province


@dataclass(frozen=True, slots=True)
class Hand:
    """Who changes the register, and when."""

    actor: str
    at: datetime


def apply(
    session: Session,
    wanted: Province,
    *,
    actor: str,
    at: datetime,
    ends: Sequence[tuple[str, str]] = (),
    basis: str = "-",
) -> Change:
    """Make the register say ``wanted``, end ``ends`` (kind, id), and append what happened, by the act ``basis``.

    Applying the same again changes nothing and records nothing. Raises ``RegisterRejected`` naming lines.
    """
    by = Hand(actor, at)
    lock(session)
    present = history.whole(session, at)
    found = difference.compare(present, wanted)
    change = replace(found, ended=tuple(f"{kind}:{identifier}" for kind, identifier in ends))
    admission.check(session, present, wanted, change, at)
    _enter(session, wanted, change, by)
    for kind, identifier in ends:
        _end(session, kind, identifier, by)
    if not change.is_empty:
        details: dict[str, JsonValue] = {
            "digest": wanted.digest,
            "added": len(change.added),
            "changed": len(change.changed),
            "ended": len(change.ended),
            "basis": basis,
        }
        _record(session, "registry.province.applied", "register:province", details, by)
    return change


def check_levels(session: Session, wanted: Province, at: datetime) -> None:
    """Raise ``RegisterRejected`` when a file changes a domain's level: that takes two people, and a file has one."""
    held = {entry.id: entry.level for entry in history.whole(session, at).domains}
    faults = [
        Fault(
            wanted.places.line("domain", entry.id, "level"),
            f"the level of `{entry.id}` is {held[entry.id]}, and a file cannot make it {entry.level}",
            "level",
            f"propose it to a second person: `guosuo register level set {entry.id} {entry.level} --basis ACT`",
        )
        for entry in wanted.domains
        if held.get(entry.id, entry.level) != entry.level
    ]
    if faults:
        raise RegisterRejected(faults)


def without_missing(change: Change) -> Change:
    """Return a change without what is missing from the file: a part of a province leaves out the rest."""
    return replace(change, missing=())


def lock(session: Session) -> None:
    """Let nobody else change the register before the caller's transaction ends.

    So that of two files at once the second is compared with what the first has made, at a time taken afterwards.
    """
    responsibility.hold_posts(session)


def _enter(session: Session, wanted: Province, change: Change, by: Hand) -> None:
    added, touched = set(change.added), {*change.added, *change.changed}
    entries = [
        (kind, entry)
        for kind in KINDS
        for entry in difference.parents_first(kind, tuple(wanted.of(kind)))
        if f"{kind}:{entry.id}" in touched
    ]
    entering.free_names(session, [entry.id for kind, entry in entries if kind == "domain"])
    for kind, entry in entries:
        entering.enter(session, kind, entry)
    for _kind, entry in entries:
        entering.hang(session, entry)
        if isinstance(entry, PersonEntry):
            set_roles(session, entry, by)
    for kind, entry in entries:
        name = f"{kind}:{entry.id}"
        _note(session, kind, entry, () if name in added else tuple(change.fields[name]), by)
    for _kind, entry in entries:
        if isinstance(entry, PostEntry):
            appointment.fill(session, entry.id, entry.holder, basis=entry.basis, actor=by.actor, at=by.at)


def _note(session: Session, kind: str, entry: Entry, fields: tuple[str, ...], by: Hand) -> None:
    """Write the version and its record; a post that only changed hands has a record of its own (``appointment.py``)."""
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


def _end(session: Session, kind: str, identifier: str, by: Hand) -> None:
    row = history.open_version(session, kind, identifier)
    if row is not None:
        history.close(session, row, by.at)
    if kind == "post":
        appointment.vacate(session, identifier, by.at)
    entering.end(session, kind, identifier, by.at)
    details: dict[str, JsonValue] = {"until": by.at.isoformat()}
    _record(session, f"registry.{kind}.ended", f"{kind}:{identifier}", details, by)


def set_roles(session: Session, person: PersonEntry, by: Hand) -> None:
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
