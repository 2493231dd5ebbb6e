"""Tables of notices: the outbox, and when each post was told last."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class NoticeState(StrEnum):
    """Waiting (to be sent, or sent again), sent, or failed for good."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Notice(SQLModel, table=True):
    """One message for one way out. ``id`` is in the message, so that one that came twice can be told.

    ``lines`` are its lines, one below the other; ``next_attempt`` is when it is tried (again), ``receipt`` what the
    other side answered, ``error`` why it was not taken last.
    """

    id: str = Field(primary_key=True, max_length=32)
    channel: str = Field(index=True, max_length=20)
    post: str = Field(index=True, max_length=80)
    address: str = Field(default="", max_length=254)
    subject: str = Field(max_length=160)
    lines: str
    count: int
    urgent: bool
    queued_at: datetime = Field(sa_type=UtcDateTime, index=True)
    state: str = Field(default=NoticeState.WAITING.value, index=True, max_length=10)
    attempts: int = 0
    next_attempt: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    receipt: str = Field(default="", max_length=300)
    error: str = Field(default="", max_length=300)


class NoticeMark(SQLModel, table=True):
    """When a post was told last: by a digest, and at all."""

    __tablename__ = "notice_mark"

    post: str = Field(primary_key=True, foreign_key="post.id")
    digest_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
