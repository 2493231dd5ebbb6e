"""Acts of two people: what each does (code, from the part that owns it) and who it takes (data, ``acts.yaml``)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel import Session

from core.approval.errors import BadActs, UnknownAct
from core.identity import SITE, PersonId
from core.signed import Json

#: The reviewed file that is shipped.
SHIPPED = Path(__file__).with_name("acts.yaml")

Body = Mapping[str, Json]

_WHO = r"^(role:[a-z][a-z0-9-]*|officer:(in-charge|operating))$"


@dataclass(frozen=True, slots=True)
class Concern:
    """What a body is about: object and domain (of the register, or ``site``), and who must not approve it.

    ``barred`` must not propose it either.
    """

    object: str
    domain: str = SITE
    excluded: frozenset[str] = field(default_factory=frozenset)
    barred: frozenset[str] = field(default_factory=frozenset)


class Look(Protocol):
    """Reads beforehand, in a read transaction, what takes long; the write transaction then need not wait for it."""

    def __call__(self, session: Session, body: Body, at: datetime) -> "Act":
        """Return the act that has looked. Raises nothing that the act itself would raise: it raises it later."""
        ...


class CarryOut(Protocol):
    """Does the act in the caller's transaction; what it returns (texts and numbers) goes into the evidence.

    Whatever ``TrustError`` it raises undoes all it did, and the proposal is kept as failed with that reason.
    """

    def __call__(
        self, session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> Mapping[str, Json]:
        """Do it."""
        ...


@dataclass(frozen=True, slots=True)
class Act:
    """One act as its part provides it.

    ``concern`` reads a body and says what it is about; it raises ``TrustError`` for a body that makes no sense.
    ``consequences`` says in sentences what would happen, as the world is now; it changes nothing, and raises what
    ``carry_out`` would. ``look`` is for an act that has to read more than a write transaction should wait for.
    """

    name: str
    concern: Callable[[Session, Body, datetime], Concern]
    consequences: Callable[[Session, Body, datetime], list[str]]
    carry_out: CarryOut
    look: Look | None = None


class Title(BaseModel):
    """A title in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1, max_length=200)
    en: str = Field(min_length=1, max_length=200)


Who = Annotated[str, Field(pattern=_WHO)]


class Ruling(BaseModel):
    """What ``acts.yaml`` says of one act."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: str = Field(pattern=r"^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$", max_length=80)
    title: Title
    propose: tuple[Who, ...] = Field(min_length=1)
    approve: tuple[Who, ...] = Field(min_length=1)
    exclude: tuple[Who, ...]
    approvers: int = Field(ge=1, le=5)
    level: int = Field(ge=1, le=5)
    hours: int = Field(ge=1, le=24 * 90)
    source: str = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    acts: list[Ruling]


class Acts:
    """Every act of two people: its rule and its code, by name."""

    def __init__(self, rulings: Iterable[Ruling], acts: Iterable[Act]) -> None:
        """Join rules and code. Raises ``BadActs`` when one is without the other."""
        self._rulings = {one.act: one for one in rulings}
        self._acts = {one.name: one for one in acts}
        if lonely := sorted(set(self._rulings) ^ set(self._acts)):
            raise BadActs(f"acts.yaml and the parts do not name the same acts: {', '.join(lonely)}")

    def get(self, name: str) -> tuple[Ruling, Act]:
        """Return an act's rule and code. Raises ``UnknownAct``."""
        if name not in self._acts:
            raise UnknownAct(f"no act of two people is called `{name[:80]}`", hint=f"one of {', '.join(self._acts)}")
        return self._rulings[name], self._acts[name]

    def having_looked(self, session: Session, name: str, body: Body, at: datetime) -> "Acts":
        """Return these acts, the one called ``name`` having looked at what it is about; ``session`` only reads."""
        act = self._acts.get(name)
        if act is None or act.look is None:
            return self
        looked = act.look(session, body, at)
        return Acts(self._rulings.values(), [looked if one is act else one for one in self._acts.values()])

    @property
    def rulings(self) -> list[Ruling]:
        """Return every rule, by name."""
        return [self._rulings[name] for name in sorted(self._rulings)]


def load(path: Path = SHIPPED) -> list[Ruling]:
    """Read the rules. Raises ``BadActs``."""
    try:
        rulings = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).acts
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise BadActs(f"`{path.name}` cannot be read: {error}") from error
    names = [one.act for one in rulings]
    if len(names) != len(set(names)):
        raise BadActs(f"`{path.name}` names an act twice")
    return rulings
