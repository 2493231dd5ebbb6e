"""Tables of the register: the present, fast to read, and beside it every version of every entry.

What ended keeps its row (``ended_at``) and its id for ever; ``RegisterVersion`` answers every question "as of" a time.
"""

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class RegisterVersion(SQLModel, table=True):
    """What an entry said from ``since`` until before ``until`` (open when empty), and who made it say so.

    ``content`` is canonical JSON (``content.py``); ``digest`` its SHA-256, after ``salt`` where it is personal;
    ``record`` the identifier of the evidence record.
    """

    __tablename__ = "register_version"

    number: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=20)
    identifier: str = Field(max_length=80, index=True)
    since: datetime = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    content: str = Field(sa_type=Text)
    digest: str = Field(max_length=64)
    salt: str = Field(default="", max_length=32)
    actor: str = Field(max_length=120)
    record: str = Field(default="", max_length=32)


class Organisation(SQLModel, table=True):
    """A government body: province, prefecture or county, or a department of one."""

    id: str = Field(primary_key=True, max_length=80)
    name: str
    tier: str = Field(max_length=20)
    parent: str | None = Field(default=None, foreign_key="organisation.id")
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


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
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


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
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PostHolding(SQLModel, table=True):
    """Who held a post, from ``since`` until before ``until`` (open when empty), by which appointing act.

    ``actor`` entered it, ``record`` is the identifier of the evidence record.
    """

    __tablename__ = "post_holding"

    number: int | None = Field(default=None, primary_key=True)
    post: str = Field(foreign_key="post.id", index=True)
    person: str = Field(foreign_key="person.id", index=True)
    since: datetime = Field(sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    basis: str = ""
    actor: str = Field(default="", max_length=120)
    record: str = Field(default="", max_length=32)


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
    """A system in exactly one domain, with the post in charge (主管) and the operating post (运行).

    ``information_level`` (S) and ``service_level`` (A) follow from its worksheet; ``level`` is the higher; 0: none.
    """

    id: str = Field(primary_key=True, max_length=80)
    name: str
    domain: str = Field(foreign_key="security_domain.id", index=True)
    organisation: str = Field(foreign_key="organisation.id")
    in_charge_post: str = Field(foreign_key="post.id")
    operating_post: str = Field(foreign_key="post.id")
    level: int = 0
    information_level: int = 0
    service_level: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Device(SQLModel, table=True):
    """A machine subject of a certificate: ``kind`` is gateway, sensor, application or service."""

    id: str = Field(primary_key=True, max_length=80)
    kind: str = Field(max_length=20)
    name: str
    system: str = Field(foreign_key="system.id")
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Application(SQLModel, table=True):
    """What people open: part of a system, under ``host``, shown by ``device``."""

    id: str = Field(primary_key=True, max_length=80)
    name: str
    system: str = Field(foreign_key="system.id", index=True)
    device: str | None = Field(default=None, foreign_key="device.id")
    host: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DataElement(SQLModel, table=True):
    """A data element and its one source department (一数一源); ``classification`` is a ``Classification``."""

    __tablename__ = "data_element"

    id: str = Field(primary_key=True, max_length=80)
    name: str
    source: str = Field(foreign_key="organisation.id", index=True)
    system: str = Field(foreign_key="system.id")
    classification: int = 1
    sharing: str = Field(max_length=20)
    update: str = "-"
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Agreement(SQLModel, table=True):
    """A sharing agreement; what it says in full is its version. ``state`` is draft, signed or ended.

    ``digest`` is that of the content that was signed, empty while it is a draft.
    """

    id: str = Field(primary_key=True, max_length=80)
    title: str
    giver: str = Field(foreign_key="organisation.id", index=True)
    receiver: str = Field(foreign_key="organisation.id", index=True)
    method: str = Field(max_length=20)
    since: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime)
    in_charge_post: str = Field(foreign_key="post.id")
    operating_post: str = Field(foreign_key="post.id")
    received_by_post: str = Field(foreign_key="post.id")
    state: str = Field(default="draft", max_length=10)
    digest: str = Field(default="", max_length=64)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AgreementSignature(SQLModel, table=True):
    """A person's signature under an agreement's content, for one ``side`` of it: giver or receiver."""

    __tablename__ = "agreement_signature"

    number: int | None = Field(default=None, primary_key=True)
    agreement: str = Field(foreign_key="agreement.id", index=True)
    side: str = Field(max_length=10)
    person: str = Field(foreign_key="person.id")
    digest: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    record: str = Field(max_length=32)
