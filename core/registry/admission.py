"""What a file may not say because of what the register knows besides: who is gone, what is signed, what stands."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, select

from core.registry import history
from core.registry.credential import Credential, CredentialState
from core.registry.difference import Change
from core.registry.errors import Fault, RegisterRejected
from core.registry.models import Agreement, Person, RoleAssignment
from core.registry.province import Province

_GONE = "take the entry out of the file, or give what is new an id of its own"


def check(session: Session, present: Province, wanted: Province, change: Change, at: datetime) -> None:
    """Raise ``RegisterRejected`` naming lines; its word is ``has-left`` when somebody who left is still in the file."""
    left = [*_reused(session, wanted, change), *_posts(session, present, wanted)]
    faults = [
        *left,
        *_roles(session, present, wanted),
        *_signed(session, wanted, change),
        *_ending(session, wanted, change, at),
    ]
    if faults:
        raise RegisterRejected(faults, word="has-left" if len(left) == len(faults) else "")


def _reused(session: Session, wanted: Province, change: Change) -> Iterator[Fault]:
    used = {kind: history.known(session, kind) for kind in {name.partition(":")[0] for name in change.added}}
    for name in change.added:
        kind, _, identifier = name.partition(":")
        if identifier in used[kind]:
            line = wanted.places.line(kind, identifier, "id")
            verb = "left" if kind == "person" else "ended"
            yield Fault(line, f"{kind} `{identifier}` has {verb}, and an id is never used again", "id", _GONE)


def _posts(session: Session, present: Province, wanted: Province) -> Iterator[Fault]:
    held = {entry.id: entry.holder for entry in present.posts}
    absent = _absent(session)
    for post in wanted.posts:
        if post.holder in absent and held.get(post.id) != post.holder:
            line = wanted.places.line("post", post.id, "holder")
            complaint = f"`{post.holder}` is suspended or has left and cannot be given the post `{post.id}`"
            yield Fault(line, complaint, "holder", "name somebody who is in office")


def _roles(session: Session, present: Province, wanted: Province) -> Iterator[Fault]:
    held = {entry.id: set(entry.roles) for entry in present.people}
    absent = _absent(session)
    for person in wanted.people:
        for domain, role in person.roles:
            # Who left is no longer in the register: that is a fault of its own.
            if person.id in absent & held.keys() and (domain, role) not in held[person.id]:
                line = wanted.places.line("person", person.id, "roles")
                complaint = f"`{person.id}` is suspended and cannot be given the role `{role}` in `{domain}`"
                yield Fault(line, complaint, "roles", "end the suspension first, or leave the role out")


def _signed(session: Session, wanted: Province, change: Change) -> Iterator[Fault]:
    signed = set(session.exec(select(Agreement.id).where(Agreement.state == "signed")))
    for name in change.changed:
        kind, _, identifier = name.partition(":")
        if kind == "agreement" and identifier in signed:
            line = wanted.places.line(kind, identifier)
            hint = "end it (`end:` in a change set) and enter another with an id of its own"
            yield Fault(line, f"agreement `{identifier}` is signed and cannot be changed", "", hint)


def _absent(session: Session) -> frozenset[str]:
    """Return who has left, or is suspended."""
    return frozenset(one.id for one in session.exec(select(Person)) if one.left_at is not None or one.suspended)


def _ending(session: Session, wanted: Province, change: Change, at: datetime) -> Iterator[Fault]:
    for name in change.ended:
        kind, _, identifier = name.partition(":")
        line = wanted.places.line_of_end(kind, identifier)
        if kind == "person":
            hint = "ending everything that a person holds is an act of its own: see `guosuo register leave --help`"
            yield Fault(line, f"person `{identifier}` leaves, and is not ended by a file", "", hint)
        good = _good(session, kind, identifier, at)
        if good:
            complaint = (
                f"{kind} `{identifier}` cannot end: {len(good)} good certificate(s) rest on it, such as {good[0]}"
            )
            yield Fault(line, complaint, "", "revoke them first: `guosuo cert revoke SERIAL`")
        if kind == "domain" and (role := _role(session, identifier, at)) is not None:
            complaint = f"domain `{identifier}` cannot end: `{role.person}` holds the role `{role.role}` in it"
            yield Fault(line, complaint, "", "withdraw the roles in it first")


def _good(session: Session, kind: str, identifier: str, at: datetime) -> list[str]:
    if kind not in ("device", "domain"):
        return []
    held = col(Credential.domain) if kind == "domain" else col(Credential.holder)
    statement = select(Credential.serial).where(
        held == identifier, Credential.state != CredentialState.REVOKED, Credential.not_after > at
    )
    if kind == "device":
        statement = statement.where(Credential.holder_kind != "person")
    return sorted(session.exec(statement))


def _role(session: Session, domain: str, at: datetime) -> RoleAssignment | None:
    until = col(RoleAssignment.until)
    statement = select(RoleAssignment).where(RoleAssignment.domain == domain, until.is_(None) | (until > at))
    return session.exec(statement).first()
