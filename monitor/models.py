"""Tables of the border: what leaked and whose it was, which sensors watch, and when they did not."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.database import UtcDateTime


class Finding(SQLModel, table=True):
    """One leak: a marking above its domain's ceiling in one HTTP transaction.

    ``state`` says how sure the attribution is: ``named`` (exactly one request, its certificate, its holder),
    ``candidates`` (listed in ``candidates``, a JSON array) or ``unknown``. Names are those of the time of the leak.
    ``ceiling`` and ``level`` are ``Classification``s.
    """

    id: str = Field(primary_key=True, max_length=32)
    sighting: str = Field(unique=True, max_length=160)
    revision: int
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    last: datetime = Field(sa_type=UtcDateTime)
    received: datetime = Field(sa_type=UtcDateTime)
    sensor: str = Field(index=True, max_length=80)
    sid: int
    policy: str = Field(max_length=80)
    domain: str = Field(index=True, max_length=80)
    ceiling: int
    marking: str = Field(max_length=80)
    level: int
    malformed: bool
    exceeds: bool
    confirmed: bool
    excerpt: str = Field(max_length=120)
    encoding: str = Field(max_length=80)
    hits: int
    transaction: str = Field(max_length=80)
    request_id: str = Field(index=True, max_length=64)
    serial: str = Field(index=True, max_length=64)
    source: str = Field(max_length=45)
    source_port: int
    destination: str = Field(max_length=45)
    destination_port: int
    host: str = Field(max_length=255)
    path: str = Field(max_length=255)
    state: str = Field(index=True, max_length=12)
    explanation: str = Field(max_length=200)
    person: str = Field(default="", index=True, max_length=80)
    person_name: str = Field(default="")
    organisation: str = Field(default="", max_length=80)
    organisation_name: str = Field(default="")
    system: str = Field(default="", max_length=80)
    application: str = Field(default="", max_length=80)
    candidates: str = Field(default="[]")
    in_charge_post: str = Field(default="", max_length=80)
    in_charge_person: str = Field(default="", index=True, max_length=80)
    in_charge_name: str = Field(default="")
    operating_post: str = Field(default="", max_length=80)
    operating_person: str = Field(default="", index=True, max_length=80)
    operating_name: str = Field(default="")


class Sensor(SQLModel, table=True):
    """A sensor that has reported, and when it was heard last."""

    name: str = Field(primary_key=True, max_length=80)
    first_heard: datetime = Field(sa_type=UtcDateTime)
    last_heard: datetime = Field(sa_type=UtcDateTime)


class SensorWindow(SQLModel, table=True):
    """A time in which a sensor did not see (still so when ``until`` is empty): unmonitored, never clean."""

    __tablename__ = "sensor_window"

    id: str = Field(primary_key=True, max_length=160)
    revision: int
    sensor: str = Field(index=True, max_length=80)
    since: datetime = Field(sa_type=UtcDateTime, index=True)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cause: str = Field(max_length=80)
    dropped: int = 0
