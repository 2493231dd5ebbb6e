"""Tables of a take-over: whom it is from, what two people agreed on, and what of that still waits."""

from datetime import datetime

from sqlmodel import Field, SQLModel, Text

from core.database import UtcDateTime


class Takeover(SQLModel, table=True):
    """An authority that ran elsewhere and is ours now; ``number`` is the last one that a list of its own is known by.

    ``state`` is parallel (the old one may still issue) or finished.
    """

    __tablename__ = "takeover"

    authority: str = Field(primary_key=True, max_length=40)
    key: str = Field(max_length=80)
    domains: str = Field(sa_type=Text)
    certificate_sha256: str = Field(max_length=64)
    number: int
    state: str = Field(default="parallel", max_length=10)
    begun_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class TakeoverPlan(SQLModel, table=True):
    """What would come over, and what became of it; ``digest`` is that of all of it, with every verdict.

    ``state`` is staged (parts come in), sealed (whole, may be agreed on), open (agreed on, being carried out) or done.
    ``header`` is JSON (``material.Header``); ``parts`` counts how often a part came in.
    """

    __tablename__ = "takeover_plan"

    digest: str = Field(primary_key=True, max_length=64)
    authority: str = Field(index=True, max_length=40)
    header: str = Field(sa_type=Text)
    total: int
    parts: int = 0
    state: str = Field(default="staged", index=True, max_length=10)
    done: int = 0
    entered: int = 0
    listed: int = 0
    changed: int = 0
    left: int = 0
    actor: str = Field(max_length=120)
    approver: str = Field(default="", max_length=80)
    basis: str = Field(default="", max_length=400)
    at: datetime = Field(sa_type=UtcDateTime)


class TakeoverItem(SQLModel, table=True):
    """One certificate of a plan, as ``material.Item`` in JSON, with the plan's verdict; it goes when it was done."""

    __tablename__ = "takeover_item"

    plan: str = Field(primary_key=True, max_length=64)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: str = Field(sa_type=Text)
    verdict: str = Field(max_length=10)
    why: str = Field(default="", max_length=200)
