"""How long evidence is kept: a rule over values. Numbers and their sources are data (``retention.yaml``).

Pure. A record goes only when nothing keeps it; what keeps it is said with its clause. The order of the reasons is that
of their weight: the law first, then what the log itself needs.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from enum import StrEnum
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.ledger.entry import JsonValue

_SERIAL = re.compile(r"[0-9a-f]{40}")


class Keeps(StrEnum):
    """Why a record stays."""

    YOUNG = "young"
    CERTIFICATE = "certificate"
    HOLD = "hold"
    NEEDED = "needed"
    UNPUBLISHED = "unpublished"
    NEXT_TIME = "next-time"


class Retention(BaseModel):
    """The numbers. ``days_by_level`` is by protection level 1-5 and never below ``minimum_days``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    minimum_days: int = Field(ge=180)
    minimum_source: str
    days_by_level: Mapping[int, int]
    certificate_years: int = Field(ge=5)
    certificate_source: str
    kept_types: frozenset[str]

    @model_validator(mode="after")
    def _check(self) -> "Retention":
        if set(self.days_by_level) != {1, 2, 3, 4, 5} or min(self.days_by_level.values()) < self.minimum_days:
            raise ValueError("each of the five levels has a retention of at least the minimum")
        return self

    def youngest(self, now: datetime) -> datetime:
        """Return the moment up to which the law lets anything go at all."""
        return now - timedelta(days=self.minimum_days)

    def days(self, level: int | None) -> int:
        """Return how many days a record of a domain of ``level`` is kept; nothing: it belongs to no domain."""
        longest = max(self.days_by_level.values())
        return longest if level is None else self.days_by_level.get(level, longest)


def parse_retention(text: str, days_by_level: Mapping[int, int]) -> Retention:
    """Read the data file; the days are the register's. Raises ``ValueError`` for numbers that no law allows."""
    read = yaml.safe_load(text)
    numbers = read if isinstance(read, dict) else {}
    return Retention.model_validate({**numbers, "days_by_level": days_by_level})


@dataclass(frozen=True, slots=True)
class Dated:
    """What the rule needs to know of a record.

    ``level`` is that of its domain (nothing: none), ``lapses`` when the last of the certificates lapses that it is
    about (nothing: it is about none), ``unknown`` that it is about a certificate whose end nobody knows.
    """

    type: str
    at: datetime
    level: int | None = None
    lapses: datetime | None = None
    unknown: bool = False
    held: bool = False
    published: bool = True


def keeps(record: Dated, retention: Retention, now: datetime) -> Keeps | None:
    """Return why ``record`` stays, or nothing when it may be purged at ``now``."""
    if record.at > now - timedelta(days=retention.days(record.level)):
        return Keeps.YOUNG
    if record.unknown or (record.lapses is not None and now < released(record.lapses, retention)):
        return Keeps.CERTIFICATE
    if record.held:
        return Keeps.HOLD
    if record.type in retention.kept_types:
        return Keeps.NEEDED
    return None if record.published else Keeps.UNPUBLISHED


def released(lapses: datetime, retention: Retention) -> datetime:
    """Return when what is about a certificate may go that lapses at ``lapses``."""
    # No later than the calendar's end: a certificate without an end of its own has that of 31 December 9999.
    year = min(lapses.year + retention.certificate_years, MAXYEAR)
    # A leap day has no anniversary: the day after it.
    leap = (lapses.month, lapses.day) == (2, 29)
    return lapses.replace(year=year, month=3, day=1) if leap else lapses.replace(year=year)


def serials(object_: str, details: Mapping[str, JsonValue]) -> set[str]:
    """Return every serial number that a record names: its object's, and those anywhere in its details."""
    kind, _, rest = object_.partition(":")
    found = {rest} if kind == "certificate" and _SERIAL.fullmatch(rest) else set()
    return found | _within(details, named=False)


def _within(value: JsonValue, *, named: bool) -> set[str]:
    if isinstance(value, str):
        return {value} if named and _SERIAL.fullmatch(value) else set()
    if isinstance(value, Mapping):
        inner = [_within(one, named=named or key.startswith("serial")) for key, one in value.items()]
    elif isinstance(value, Collection):
        inner = [_within(one, named=named) for one in value]
    else:
        return set()
    return set().union(*inner)


def is_about_certification(type_: str) -> bool:
    """Say whether a record is about issuance or revocation: whatever the certification authority itself records."""
    return type_.startswith("pki.")


def shipped(days_by_level: Mapping[int, int]) -> Retention:
    """Return the numbers that are shipped, with the days by level that the register hands in."""
    text = resources.files("core.ledger").joinpath("retention.yaml").read_text(encoding="utf-8")
    return parse_retention(text, days_by_level)
