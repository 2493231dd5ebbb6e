"""The table of time stamps: what we are about to sign, and what came of it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class StampState(StrEnum):
    """``OPEN`` was intended, and perhaps signed: nobody was handed it. ``GRANTED`` is on record, so it may go out."""

    OPEN = "open"
    GRANTED = "granted"


class TimeStamp(SQLModel, table=True):
    """One serial number of a time-stamp authority, recorded before its key is used.

    ``attributes_sha256`` is what is signed, ``token_sha256`` what came of it; ``imprint`` is the hash that was stamped.
    """

    __tablename__ = "time_stamp"
    __table_args__ = (Index("ix_time_stamp_authority_at", "authority", "at"),)

    serial: str = Field(primary_key=True, max_length=40)
    authority: str = Field(max_length=40)
    at: datetime = Field(sa_type=UtcDateTime)
    policy: str = Field(max_length=100)
    algorithm: str = Field(max_length=10)
    imprint: str = Field(max_length=128)
    attributes_sha256: str = Field(max_length=64)
    state: str = Field(default=StampState.OPEN.value, max_length=10)
    token_sha256: str = Field(default="", max_length=64)
