"""Tables of certificates: intentions before signatures, outcomes after them."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary, Text
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class Authority(SQLModel, table=True):
    """An authority or delegated responder of ours and its certificate."""

    __tablename__ = "authority"

    name: str = Field(primary_key=True, max_length=40)
    key: str = Field(max_length=80)
    serial: str = Field(unique=True, max_length=40)
    der: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class IssuanceIntent(SQLModel, table=True):
    """What we are about to sign: recorded before any key is used. ``state`` is open, issued or abandoned.

    ``request`` is the digest of the request, ``profiles`` that of the profiles it was judged by (both empty for an
    authority's own certificate).
    """

    __tablename__ = "issuance_intent"

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(max_length=40)
    profile: str = Field(max_length=40)
    holder_kind: str = Field(max_length=20)
    holder: str = Field(max_length=80)
    domain: str = Field(max_length=80)
    actor: str = Field(max_length=120)
    at: datetime = Field(sa_type=UtcDateTime)
    tbs: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(default="open", index=True, max_length=10)
    request: str = Field(default="", index=True, max_length=64)
    profiles: str = Field(default="", max_length=64)


class ProfileSet(SQLModel, table=True):
    """Profiles that two people put into force; the newest counts. ``text`` is what they agreed on, octet for octet."""

    __tablename__ = "profile_set"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64)
    version: str = Field(max_length=40)
    text: str = Field(sa_type=Text)
    proposer: str = Field(max_length=80)
    approver: str = Field(max_length=80)
    basis: str = Field(max_length=400)
    at: datetime = Field(sa_type=UtcDateTime)


class DeskRequest(SQLModel, table=True):
    """A request at the registration desk. ``approved_by`` are ids with spaces between, of the present revision."""

    __tablename__ = "desk_request"

    id: str = Field(primary_key=True, max_length=16)
    requester: str = Field(max_length=120)
    filed_at: datetime = Field(sa_type=UtcDateTime, index=True)
    profile: str = Field(default="", max_length=40)
    holder_kind: str = Field(default="", max_length=20)
    holder: str = Field(default="", max_length=80)
    domain: str = Field(default="", max_length=80)
    csr: str = Field(default="", sa_type=Text)
    dns_names: str = Field(default="[]", sa_type=Text)
    lifetime_seconds: int | None = None
    digest: str = Field(default="", max_length=64)
    revision: int = 1
    needed: int = 1
    approved_by: str = Field(default="", max_length=400)
    state: str = Field(default="submitted", index=True, max_length=10)
    comment: str = Field(default="", max_length=1000)
    serial: str = Field(default="", max_length=40)


class Certificate(SQLModel, table=True):
    """An issued certificate, as handed out."""

    __tablename__ = "certificate"

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(max_length=40)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    der: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Revocation(SQLModel, table=True):
    """A revoked serial number; ``entry`` is its DER for the CRL, encoded once (RFC 5280, 5.1)."""

    __tablename__ = "revocation"

    serial: str = Field(primary_key=True, max_length=40)
    issuer: str = Field(index=True, max_length=40)
    at: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(max_length=40)
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CrlPublication(SQLModel, table=True):
    """One CRL: its number is taken first, its octets follow; numbers never go back."""

    __tablename__ = "crl_publication"

    issuer: str = Field(primary_key=True, max_length=40)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    this_update: datetime = Field(sa_type=UtcDateTime)
    next_update: datetime = Field(sa_type=UtcDateTime)
    entries: int
    der: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
