"""What must not be there any more before an entry can end, and what ends with it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from core.registry.credential import Credential, CredentialState
from core.registry.errors import Fault
from core.registry.models import PostHolding, RoleAssignment
from core.registry.province import Province


def check(session: Session, wanted: Province, ends: Sequence[tuple[str, str]], at: datetime) -> Iterator[Fault]:
    """Return what stands against an ending that the whole itself does not show: good certificates, people, roles."""
    for kind, identifier in ends:
        line = wanted.places.line_of_end(kind, identifier)
        if kind == "person":
            hint = "ending everything that a person holds is an act of its own: see `guosuo duty --help`"
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


def release(session: Session, kind: str, identifier: str, at: datetime) -> None:
    """End what ends with an entry: whoever holds an ended post holds it no longer."""
    if kind != "post":
        return
    statement = select(PostHolding).where(PostHolding.post == identifier, col(PostHolding.until).is_(None))
    for held in session.exec(statement):
        held.until = at
        session.add(held)


def _good(session: Session, kind: str, identifier: str, at: datetime) -> list[str]:
    if kind not in ("device", "domain"):
        return []
    held = col(Credential.domain) if kind == "domain" else col(Credential.holder)
    statement = select(Credential.serial).where(
        held == identifier, Credential.state == CredentialState.GOOD, Credential.not_after > at
    )
    if kind == "device":
        statement = statement.where(Credential.holder_kind != "person")
    return sorted(session.exec(statement))


def _role(session: Session, domain: str, at: datetime) -> RoleAssignment | None:
    until = col(RoleAssignment.until)
    statement = select(RoleAssignment).where(RoleAssignment.domain == domain, until.is_(None) | (until > at))
    return session.exec(statement).first()
