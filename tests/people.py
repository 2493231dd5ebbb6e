"""The sample province, entered through the real loader."""

import functools
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from core.registry import change, loader
from core.registry.province import Province
from tests.remembered import Remembered

PROVINCE = Path(__file__).parents[1] / "deploy" / "province" / "beichen.yaml"

_REMEMBERED = Remembered()


@functools.cache
def sample() -> Province:
    """The sample province, which is frozen, read once."""
    return loader.parse_province(PROVINCE.read_text(encoding="utf-8"))


def enter_province(session: Session, at: datetime, *, actor: str = "founding") -> None:
    """Enter it at ``at``; the same into another empty store inserts the rows that the loader wrote into the first."""
    session.flush()
    _REMEMBERED.enter(session.connection(), (at, actor), lambda: _apply(session, at, actor))


def _apply(session: Session, at: datetime, actor: str) -> None:
    change.apply(session, sample(), actor=actor, at=at)
    session.flush()
