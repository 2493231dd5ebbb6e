"""Append to the evidence: inside the transaction of the change itself, so neither exists without the other."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert
from sqlmodel import Session, SQLModel

from core.ledger import body as bodies
from core.ledger import models
from core.ledger.body import Body
from core.ledger.entry import Event, encode

#: Random octets of an identifier; the six before them tell the time in milliseconds.
_RANDOM_OCTETS = 10

#: Where records are stored: each by its ``Prepared.columns``.
TABLE = SQLModel.metadata.tables[str(models.EvidenceRow.__tablename__)]

_INSERT = insert(TABLE)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record that only needs to be inserted: nothing is wrong with its form."""

    identifier: str
    columns: Mapping[str, object]


def prepare(event: Event, *, at: datetime) -> Prepared:
    """Return the record of ``event``. Raises ``Malformed`` when it has not a record's form or is too large."""
    return _prepared(event, _identifier(at), at)


def append(session: Session, event: Event, *, at: datetime, body: Body | None = None) -> str:
    """Insert ``event`` and return its identifier; the sequencer numbers it after the caller's commit.

    ``body`` is what is personal or classified about it: kept beside the record and erasable, the record itself holds
    only a salted commitment (``body.py``). Raises ``Malformed`` when either is too large for an entry bundle.
    """
    identifier = _identifier(at)
    if body is not None:
        event = bodies.attach(session, event, body, record=identifier, salt=secrets.token_bytes(bodies.SALT_OCTETS))
    record = _prepared(event, identifier, at)
    # What the caller changed goes first: a record is of something that the store has taken.
    session.flush()
    insert_all(session, [record])
    return identifier


def insert_all(session: Session, records: Sequence[Prepared]) -> None:
    """Insert prepared records by one statement."""
    session.connection().execute(_INSERT, [record.columns for record in records])


def _identifier(at: datetime) -> str:
    # Begins with the time, so that the store adds it at the end of its index: a random place costs a page each.
    return f"{int(at.timestamp() * 1000):012x}{secrets.token_hex(_RANDOM_OCTETS)}"


def _prepared(event: Event, identifier: str, at: datetime) -> Prepared:
    columns = {
        "identifier": identifier,
        "at": at,
        "type": event.type,
        "actor": event.actor,
        "object": event.object,
        "domain": event.domain,
        "result": event.result,
        "content": encode(event, identifier=identifier, at=at),
    }
    return Prepared(identifier, columns)
