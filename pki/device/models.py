"""The table of initial secrets."""

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class DeviceSecret(SQLModel, table=True):
    """A secret with which one machine gets its first certificate. ``state`` is open, used or withdrawn.

    The secret itself stands nowhere: it is worked out from this row and a secret that is not in the store. ``hosts``
    and ``addresses`` (JSON lists) are what the officer agreed to; ``request`` is the digest of what it was used for.
    """

    __tablename__ = "device_secret"

    id: str = Field(primary_key=True, max_length=32)
    holder_kind: str = Field(max_length=20)
    holder: str = Field(index=True, max_length=80)
    domain: str = Field(max_length=80)
    hosts: str = Field(default="[]", sa_type=Text)
    addresses: str = Field(default="[]", sa_type=Text)
    state: str = Field(default="open", max_length=10)
    actor: str = Field(max_length=120)
    made_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    request: str = Field(default="", max_length=64)
