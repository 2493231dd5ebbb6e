"""What the evidence asks the register: a port, because the register itself writes evidence and so stands above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Answerable:
    """Who answered for something at a time: ``post`` and ``title`` of the post, who held it and by which act."""

    duty: str
    post: str
    title: str
    person: str
    name: str
    organisation: str
    since: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Known:
    """A person as the register knows them, with their department."""

    person: str
    name: str
    organisation: str
    department: str
    domain: str


class Register(Protocol):
    """Answers about domains, certificates, people and those who answer for them."""

    def levels(self, session: Session) -> Mapping[str, int]:
        """Return the protection level of every domain."""
        ...

    def expiries(self, session: Session, at: datetime) -> Mapping[str, datetime]:
        """Return when each certificate expires that there was at a time, by serial number."""
        ...

    def person(self, session: Session, identifier: str) -> Known | None:
        """Return a person, or nothing when the register has none of this id."""
        ...

    def answerable(self, session: Session, domain: str, at: datetime) -> Sequence[Answerable]:
        """Return who was in charge (主管) and who operated (运行) a domain at a time; empty when nobody did."""
        ...
