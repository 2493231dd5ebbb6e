"""Tables of acts of two people. Rows are never removed; a proposal's revisions and steps are only ever added."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class Approval(SQLModel, table=True):
    """A proposal as it stands now; ``needed`` is how many people must approve, ``result`` a sentence at the end."""

    __tablename__ = "approval"

    id: str = Field(primary_key=True, max_length=32)
    act: str = Field(index=True, max_length=80)
    object: str = Field(index=True, max_length=200)
    domain: str = Field(max_length=80)
    state: str = Field(index=True, max_length=10)
    revision: int
    proposer: str = Field(index=True, max_length=80)
    needed: int
    proposed_at: datetime = Field(sa_type=UtcDateTime, index=True)
    expires: datetime = Field(sa_type=UtcDateTime)
    concluded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    result: str = Field(default="", max_length=1000)


class ApprovalRevision(SQLModel, table=True):
    """What was proposed at one revision: ``body`` is canonical JSON, ``digest`` what both people sign."""

    __tablename__ = "approval_revision"

    approval: str = Field(primary_key=True, foreign_key="approval.id", max_length=32)
    revision: int = Field(primary_key=True)
    reason: str = Field(max_length=1000)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: str = Field(max_length=64)
    serial: str = Field(max_length=40)
    at: datetime = Field(sa_type=UtcDateTime)


class ApprovalStep(SQLModel, table=True):
    """One thing that a person did to a proposal; ``id`` comes from the text they signed, so that none is done twice."""

    __tablename__ = "approval_step"

    id: str = Field(primary_key=True, max_length=32)
    approval: str = Field(foreign_key="approval.id", index=True, max_length=32)
    revision: int
    step: str = Field(max_length=10)
    person: str = Field(index=True, max_length=80)
    serial: str = Field(max_length=40)
    comment: str = Field(max_length=1000)
    at: datetime = Field(sa_type=UtcDateTime)
