"""A province as values: what one reviewed YAML says. Pure; made only by ``loader.parse_province``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OrganisationEntry:
    """A government body."""

    id: str
    name: str
    tier: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class PostEntry:
    """A post and who holds it now."""

    id: str
    title: str
    organisation: str
    holder: str
    basis: str


@dataclass(frozen=True, slots=True)
class DomainEntry:
    """A security domain. ``ceiling`` is a ``Classification``."""

    id: str
    name: str
    network: str
    level: int
    ceiling: int
    name_space: str
    organisation: str
    parent: str | None
    in_charge: str
    operating: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """A person; ``roles`` are pairs of domain and role, ``member_of`` domains."""

    id: str
    name: str
    organisation: str
    domain: str
    clearance: int
    contact: str
    member_of: tuple[str, ...]
    roles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """A system with its two officers' posts."""

    id: str
    name: str
    domain: str
    organisation: str
    in_charge: str
    operating: str


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A machine subject."""

    id: str
    kind: str
    name: str
    system: str


@dataclass(frozen=True, slots=True)
class Province:
    """Everything in one file; ``digest`` is the SHA-256 of its text."""

    digest: str
    organisations: tuple[OrganisationEntry, ...]
    posts: tuple[PostEntry, ...]
    domains: tuple[DomainEntry, ...]
    people: tuple[PersonEntry, ...]
    systems: tuple[SystemEntry, ...]
    devices: tuple[DeviceEntry, ...]
