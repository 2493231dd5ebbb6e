"""What the register said when: versions of entries, holders of posts, roles. Every question is asked "as of" a time.

A person who has left is in the register until before they left, and in every answer about an earlier time.
"""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col, or_, select

from core.identity import SITE
from core.registry import content
from core.registry.errors import NotInRegister
from core.registry.form import Value
from core.registry.models import Person, PostHolding, RegisterVersion, RoleAssignment
from core.registry.province import KINDS, Entry, Province, assemble


def whole(session: Session, at: datetime) -> Province:
    """Return everything that was in the register at a time."""
    gone = _left(session, at)
    holders, roles = _holders(session, at), _roles(session, at)
    found: dict[str, list[Entry]] = defaultdict(list)
    statement = select(RegisterVersion).where(_in_force(at)).order_by(col(RegisterVersion.identifier))
    for row in session.exec(statement):
        if row.kind != "person" or row.identifier not in gone:
            elsewhere = _elsewhere(row.kind, row.identifier, holders, roles)
            found[row.kind].append(content.read(row.kind, row.content, elsewhere))
    return assemble(found)


def find(session: Session, kind: str, identifier: str, at: datetime) -> Entry | None:
    """Return what an entry said at a time, or nothing when it was not in the register then."""
    statement = select(RegisterVersion).where(
        RegisterVersion.kind == kind, RegisterVersion.identifier == identifier, _in_force(at)
    )
    row = session.exec(statement.order_by(col(RegisterVersion.since).desc())).first()
    if row is None or (kind == "person" and identifier in _left(session, at)):
        return None
    holders = _holders(session, at) if kind == "post" else {}
    roles = _roles(session, at) if kind == "person" else defaultdict(list)
    return content.read(kind, row.content, _elsewhere(kind, identifier, holders, roles))


def get(session: Session, kind: str, identifier: str, at: datetime) -> Entry:
    """As ``find``; raises ``NotInRegister``."""
    found = find(session, kind, identifier, at)
    if found is None:
        hint = f"see `guosuo register history {kind} {identifier[:80]}`"
        raise NotInRegister(f"no {kind} `{identifier[:80]}` is in the register at that time", hint=hint)
    return found


def last(session: Session, kind: str, identifier: str, at: datetime) -> Entry | None:
    """Return what an entry said at a time, or said last before: also of somebody who had left by then."""
    statement = select(RegisterVersion).where(
        RegisterVersion.kind == kind, RegisterVersion.identifier == identifier, col(RegisterVersion.since) <= at
    )
    row = session.exec(statement.order_by(col(RegisterVersion.number).desc())).first()
    elsewhere = _elsewhere(kind, identifier, {}, defaultdict(list))
    return content.read(kind, row.content, elsewhere) if row is not None else None


def versions(session: Session, kind: str, identifier: str) -> Sequence[RegisterVersion]:
    """Return every version of an entry, oldest first."""
    statement = select(RegisterVersion).where(RegisterVersion.kind == kind, RegisterVersion.identifier == identifier)
    return session.exec(statement.order_by(col(RegisterVersion.number))).all()


def holdings(session: Session, post: str) -> Sequence[PostHolding]:
    """Return who held a post, oldest first."""
    return session.exec(select(PostHolding).where(PostHolding.post == post).order_by(col(PostHolding.number))).all()


def known(session: Session, kind: str) -> frozenset[str]:
    """Return every id of a kind that was ever used."""
    return frozenset(session.exec(select(RegisterVersion.identifier).where(RegisterVersion.kind == kind)))


def open_version(session: Session, kind: str, identifier: str) -> RegisterVersion | None:
    """Return the version that has not ended."""
    statement = select(RegisterVersion).where(
        RegisterVersion.kind == kind, RegisterVersion.identifier == identifier, col(RegisterVersion.until).is_(None)
    )
    return session.exec(statement).first()


def write(session: Session, kind: str, entry: Entry, *, actor: str, at: datetime) -> RegisterVersion:
    """End the open version at ``at`` and begin another, or return the open one when it says the same already."""
    text = content.write(kind, entry)
    found = open_version(session, kind, entry.id)
    if found is not None and found.content == text:
        return found
    if found is not None:
        close(session, found, at)
    salt = secrets.token_hex(16) if KINDS[kind].personal else ""
    row = RegisterVersion(
        kind=kind,
        identifier=entry.id,
        since=at,
        content=text,
        digest=content.digest(text, salt),
        salt=salt,
        actor=actor,
    )
    session.add(row)
    session.flush()
    return row


def close(session: Session, row: RegisterVersion, at: datetime) -> None:
    """End a version."""
    row.until = at
    session.add(row)
    session.flush()


def _in_force(at: datetime) -> ColumnElement[bool]:
    until = col(RegisterVersion.until)
    return and_(col(RegisterVersion.since) <= at, or_(until.is_(None), until > at))


def _elsewhere(
    kind: str, identifier: str, holders: dict[str, PostHolding], roles: dict[str, list[tuple[str, str]]]
) -> dict[str, Value]:
    if kind == "post":
        held = holders.get(identifier)
        return {"holder": held.person if held else "", "basis": held.basis if held else "-"}
    return {"roles": tuple(sorted(roles[identifier]))} if kind == "person" else {}


def _left(session: Session, at: datetime) -> frozenset[str]:
    return frozenset(session.exec(select(Person.id).where(col(Person.left_at) <= at)))


def _holders(session: Session, at: datetime) -> dict[str, PostHolding]:
    until = col(PostHolding.until)
    statement = select(PostHolding).where(PostHolding.since <= at).where(or_(until.is_(None), until > at))
    return {row.post: row for row in session.exec(statement.order_by(col(PostHolding.since)))}


def _roles(session: Session, at: datetime) -> dict[str, list[tuple[str, str]]]:
    until = col(RoleAssignment.until)
    statement = select(RoleAssignment).where(RoleAssignment.since <= at).where(or_(until.is_(None), until > at))
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in session.exec(statement.where(RoleAssignment.domain != SITE)):
        found[row.person].append((row.domain, row.role))
    return found
