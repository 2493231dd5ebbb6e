"""Tables of the register. History is kept: what ended keeps its row, so that every question can be asked "as of"."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class Organisation(SQLModel, table=True):
    """A government body: province, prefecture or county, or a department of one."""

    id: str = Field(primary_key=True, max_length=80)
    name: str
    tier: str = Field(max_length=20)
    parent: str | None = Field(default=None, foreign_key="organisation.id")


class SecurityDomain(SQLModel, table=True):
    """A security domain; ``level`` 1-5 (GB/T 22240), ``ceiling`` a ``Classification``, ``name_space`` a DNS suffix."""

    __tablename__ = "security_domain"

    id: str = Field(primary_key=True, max_length=80)
    name: str
    network: str = Field(max_length=20)
    level: int
    ceiling: int
    name_space: str = Field(unique=True)
    organisation: str = Field(foreign_key="organisation.id")
    parent: str | None = Field(default=None, foreign_key="security_domain.id")
    in_charge_post: str = Field(foreign_key="post.id")
    operating_post: str = Field(foreign_key="post.id")
    suspended: bool = False


class AddressRange(SQLModel, table=True):
    """Addresses that belong to exactly one domain (CIDR notation)."""

    __tablename__ = "address_range"

    cidr: str = Field(primary_key=True, max_length=50)
    domain: str = Field(foreign_key="security_domain.id", index=True)


class Post(SQLModel, table=True):
    """A post in an organisation; people come and go."""

    id: str = Field(primary_key=True, max_length=80)
    title: str
    organisation: str = Field(foreign_key="organisation.id")


class PostHolding(SQLModel, table=True):
    """Who held a post, from ``since`` until before ``until`` (open when empty), by which appointing act."""

    __tablename__ = "post_holding"

    number: int | None = Field(default=None, primary_key=True)
    post: str = Field(foreign_key="post.id", index=True)
    person: str = Field(foreign_key="person.id", index=True)
    since: datetime = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    basis: str = ""


class Person(SQLModel, table=True):
    """A person. ``clearance`` is a ``Classification``; ``domain`` is where the person works.

    ``left_at`` is since when the person is gone (empty: still here); whoever left holds nothing and is given nothing.
    """

    id: str = Field(primary_key=True, max_length=80)
    name: str
    organisation: str = Field(foreign_key="organisation.id", index=True)
    domain: str = Field(foreign_key="security_domain.id")
    clearance: int = 0
    contact: str = ""
    suspended: bool = False
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DomainMembership(SQLModel, table=True):
    """A person may act in a domain at all only as its member."""

    __tablename__ = "domain_membership"

    person: str = Field(primary_key=True, foreign_key="person.id")
    domain: str = Field(primary_key=True, foreign_key="security_domain.id")


class RoleAssignment(SQLModel, table=True):
    """A role held in a domain (``site`` for the installation itself), with giver and end."""

    __tablename__ = "role_assignment"

    number: int | None = Field(default=None, primary_key=True)
    person: str = Field(foreign_key="person.id", index=True)
    domain: str = Field(index=True, max_length=80)
    role: str = Field(max_length=80)
    since: datetime = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    giver: str


class System(SQLModel, table=True):
    """A system in exactly one domain, with the post in charge (主管) and the operating post (运行)."""

    id: str = Field(primary_key=True, max_length=80)
    name: str
    domain: str = Field(foreign_key="security_domain.id", index=True)
    organisation: str = Field(foreign_key="organisation.id")
    in_charge_post: str = Field(foreign_key="post.id")
    operating_post: str = Field(foreign_key="post.id")


class Device(SQLModel, table=True):
    """A machine subject of a certificate: ``kind`` is gateway, sensor, application or service."""

    id: str = Field(primary_key=True, max_length=80)
    kind: str = Field(max_length=20)
    name: str
    system: str = Field(foreign_key="system.id")
