"""What follows from a protection level: certificate life, key sizes, factors, lock-out, retention, recovery. Pure.

The numbers are reviewed data with a version (``levels.yaml``), each with its source and whether that is a standard,
what assessors use, or our own choice. Which acts need two people from which level on stands in
``core/approval/acts.yaml``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import Malformed

#: Days that logs are kept at the least, whatever the table says (网络安全法 Art. 23(3)).
LEAST_RETENTION = 180

LEVELS = (1, 2, 3, 4, 5)


class Title(BaseModel):
    """A title in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Parameter(BaseModel):
    """One parameter with its value for each level."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z_]*$")
    title: Title
    unit: str
    stricter: Literal["lower", "higher"]
    basis: Literal["standard", "assessor practice", "product"]
    source: str = Field(min_length=10)
    levels: Mapping[int, int]

    @model_validator(mode="after")
    def _check(self) -> "Parameter":
        if tuple(self.levels) != LEVELS:
            raise ValueError(f"`{self.name}` does not say levels 1 to 5 in their order")
        asked = [self.levels[level] for level in LEVELS]
        if asked != sorted(asked, reverse=self.stricter == "lower"):
            raise ValueError(f"`{self.name}` asks less of a higher level")
        if self.name == "retention_days" and asked[0] < LEAST_RETENTION:
            raise ValueError(f"logs are kept {LEAST_RETENTION} days at the least")
        return self


class Table(BaseModel):
    """The whole table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    title: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """How one parameter changes from one level to another."""

    parameter: Parameter
    old: int
    new: int

    @property
    def is_stricter(self) -> bool:
        """Whether the new level asks more."""
        return self.new < self.old if self.parameter.stricter == "lower" else self.new > self.old

    def __str__(self) -> str:
        """Print for people: what, old to new, whether stricter, and where the number comes from."""
        word = "stricter" if self.is_stricter else "looser"
        one = self.parameter
        return f"{one.title.zh} · {one.title.en}: {self.old} → {self.new} {one.unit} ({word}; {one.basis})"


@cache
def table() -> Table:
    """Return the reviewed table. Raises ``ValueError`` when the file is not whole."""
    return parse_table(files("core.registry").joinpath("levels.yaml").read_text(encoding="utf-8"))


def parse_table(text: str) -> Table:
    """Read a table; no parameter may ask less of a higher level. Raises ``ValueError``."""
    read = yaml.safe_load(text)
    return Table.model_validate({**read, "version": str(read["version"])})


def value(name: str, level: int) -> int:
    """Return one parameter at a level. Raises ``KeyError`` for a name or a level that there is not."""
    return {one.name: one for one in table().parameters}[name].levels[level]


def longest_life(holder_kind: str, level: int) -> timedelta:
    """Return how long a certificate of a person, or of a machine, may live at a level."""
    name = "certificate_days_person" if holder_kind == "person" else "certificate_days_device"
    return timedelta(days=value(name, level))


def check_level(level: int) -> int:
    """Return ``level`` when there is one; raises ``Malformed``."""
    if level not in LEVELS:
        raise Malformed(f"`{level}` is no protection level", hint="one from 1 to 5")
    return level


def compare(old: int, new: int) -> Sequence[Step]:
    """Return every parameter that differs between two levels, in the order of the table."""
    steps = [Step(one, one.levels[old], one.levels[new]) for one in table().parameters]
    return [step for step in steps if step.old != step.new]
