"""Find records by what they say: newest first, a page at a time."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, LargeBinary, literal
from sqlmodel import Session, col, func, select

from core.clock import Given
from core.ledger.models import EvidenceRow

#: No record holds a NUL, and PostgreSQL cannot be asked for one.
_TEXT = "^[^\\x00]*$"

_Moment = Annotated[Given | None, Field(default=None)]


class Wanted(BaseModel):
    """What is looked for. Object, actor, type and domain exactly, ``text`` anywhere in the record's canonical JSON.

    ``since`` is included, ``until`` is not; ``before`` is the number from which to go back.
    """

    model_config = ConfigDict(extra="forbid")

    object: str = Field(default="", max_length=200, pattern=_TEXT)
    actor: str = Field(default="", max_length=120, pattern=_TEXT)
    type: str = Field(default="", max_length=80, pattern=_TEXT)
    domain: str = Field(default="", max_length=80, pattern=_TEXT)
    text: str = Field(default="", max_length=200, pattern=_TEXT)
    since: _Moment
    until: _Moment
    limit: int = Field(default=50, ge=1, le=1000)
    before: int | None = Field(default=None, ge=0, le=2**53)


def find(session: Session, wanted: Wanted) -> list[EvidenceRow]:
    """Return the newest records that match; those that have no number yet come first."""
    statement = select(EvidenceRow).where(*_conditions(session, wanted))
    waiting: list[EvidenceRow] = []
    if wanted.before is None:
        unnumbered = statement.where(col(EvidenceRow.sequence).is_(None))
        waiting = list(session.exec(unnumbered.order_by(col(EvidenceRow.row).desc()).limit(wanted.limit)))
    numbered = statement.where(col(EvidenceRow.sequence).is_not(None))
    if wanted.before is not None:
        numbered = numbered.where(col(EvidenceRow.sequence) < wanted.before)
    rest = session.exec(numbered.order_by(col(EvidenceRow.sequence).desc()).limit(wanted.limit - len(waiting)))
    # On PostgreSQL one that waited may be numbered by now: the same record is not shown twice.
    met = {row.identifier for row in waiting}
    return [*waiting, *(row for row in rest if row.identifier not in met)]


def about(session: Session, object_: str, *, type_: str) -> list[EvidenceRow]:
    """Return every record of a type about one thing, those that have no number yet first."""
    waiting, numbered = col(EvidenceRow.sequence).is_(None), col(EvidenceRow.sequence).is_not(None)
    # Each half has its index (`models.py`). One that is numbered between the two is met twice rather than never.
    found = {
        row.identifier: row
        for half in (waiting, numbered)
        for row in session.exec(select(EvidenceRow).where(half, EvidenceRow.object == object_))
    }
    return [row for row in found.values() if row.type == type_]


def _conditions(session: Session, wanted: Wanted) -> list[ColumnElement[bool]]:
    columns = {
        col(EvidenceRow.object): wanted.object,
        col(EvidenceRow.actor): wanted.actor,
        col(EvidenceRow.type): wanted.type,
        col(EvidenceRow.domain): wanted.domain,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in columns.items() if value]
    conditions += _within(wanted.since, wanted.until)
    if wanted.text:
        conditions.append(_holds(session, wanted.text))
    return conditions


def _within(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    # A purged record tells no time, and is never found by one.
    told: list[ColumnElement[bool]] = [col(EvidenceRow.leaf).is_(None)] if since or until else []
    told += [col(EvidenceRow.at) >= since] if since else []
    return told + ([col(EvidenceRow.at) < until] if until else [])


def _holds(session: Session, text: str) -> ColumnElement[bool]:
    """Return the condition that the octets of ``text`` stand in the record; the records are UTF-8."""
    octets = literal(text.encode("utf-8", "replace"), LargeBinary)
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    place = func.instr if is_sqlite else func.pg_catalog.position
    return place(col(EvidenceRow.content), octets) > 0
