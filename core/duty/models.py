"""The table of duties: kept when settled, so that it can be shown who answered for what, and when."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class DutyState(StrEnum):
    """From open by way of acknowledged (a person has taken it up) to settled; a reminder opens it again."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SETTLED = "settled"


#: What a duty is while it is not settled, in the words of the store.
_UNSETTLED = text("state <> 'settled'")


class Duty(SQLModel, table=True):
    """One duty. ``post`` answers; after its deadline ``escalated_post`` answers as well (empty before).

    ``due`` is by when it must be settled. ``stage`` is how pressing it was when it was last told. ``object`` is what it
    is about as evidence names it. ``signature`` identifies the record of the acknowledgement.
    """

    __tablename__ = "duty"
    # At most one of a kind about an object waits at a time, whoever raises it and however often.
    __table_args__ = (
        Index("uq_duty_unsettled", "kind", "object", unique=True, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED),
    )

    id: str = Field(primary_key=True, max_length=32)
    kind: str = Field(max_length=40)
    object: str = Field(index=True, max_length=200)
    title: str = Field(max_length=240)
    post: str = Field(foreign_key="post.id", index=True)
    domain: str = Field(max_length=80)
    stage: str = Field(default="", max_length=20)
    raised_at: datetime = Field(sa_type=UtcDateTime, index=True)
    due: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    state: str = Field(default=DutyState.OPEN.value, index=True, max_length=12)
    acknowledged_by: str = Field(default="", max_length=120)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    signature: str = Field(default="", max_length=32)
    escalated_post: str = Field(default="", index=True, max_length=80)
    escalated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled_by: str = Field(default="", max_length=120)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
