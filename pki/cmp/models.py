"""The table of transactions; the job ``pki.cmp.tidy`` removes them when nobody can replay them any more."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class CmpTransaction(SQLModel, table=True):
    """A transaction: ``id`` is its identifier in hexadecimal, ``proof`` what its machine showed.

    ``state`` is open, waiting (for officers, as ``desk`` at the desk), confirming (until ``ends_at``), confirmed,
    rejected, unconfirmed or over. ``nonce`` is ours, as sent last; ``request`` is certReqId; ``implicit``: the machine
    confirms by saying nothing.
    """

    __tablename__ = "cmp_transaction"

    id: str = Field(primary_key=True, max_length=256)
    proof: str = Field(max_length=80)
    holder: str = Field(max_length=80)
    domain: str = Field(max_length=80)
    kind: int
    state: str = Field(default="open", index=True, max_length=12)
    request: int = 0
    nonce: str = Field(default="", max_length=256)
    serial: str = Field(default="", max_length=40)
    implicit: bool = False
    desk: str = Field(default="", max_length=16)
    begun_at: datetime = Field(index=True, sa_type=UtcDateTime)
    ends_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
