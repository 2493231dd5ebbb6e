"""Tables of the evidence: rows are only ever inserted, and numbered once by the sequencer."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class EvidenceRow(SQLModel, table=True):
    """One record. ``content`` holds its canonical bytes; ``sequence`` its index in the tree, empty until numbered."""

    __tablename__ = "evidence"

    row: int | None = Field(default=None, primary_key=True)
    identifier: str = Field(unique=True, max_length=32)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    type: str = Field(index=True, max_length=80)
    actor: str = Field(index=True, max_length=120)
    object: str = Field(index=True, max_length=200)
    domain: str = Field(max_length=80)
    result: str = Field(max_length=20)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sequence: int | None = Field(default=None, unique=True)
