"""The table of recovery points: an intention before anything is written, an outcome after it was read back."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class PointState(StrEnum):
    """Only a sealed point is one that can be restored."""

    BEGUN = "begun"
    SEALED = "sealed"
    FAILED = "failed"


class RecoveryPoint(SQLModel, table=True):
    """One recovery point. ``size`` and ``sha256`` are of its file, ``ledger_*`` of the evidence at the cut.

    ``record`` identifies the record of the outcome: once it is mirrored, the point can be restored.
    """

    __tablename__ = "recovery_point"

    id: str = Field(primary_key=True, max_length=40)
    state: str = Field(index=True, max_length=10)
    actor: str = Field(max_length=120)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ledger_size: int = 0
    ledger_root: str = Field(default="", max_length=64)
    size: int = Field(default=0, sa_type=BigInteger)
    sha256: str = Field(default="", max_length=64)
    cause: str = Field(default="", max_length=400)
    record: str = Field(default="", max_length=32)
