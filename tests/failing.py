"""Make exactly one durable write fail, in one of two ways: not applied, or applied although it seemed to fail.

Everything is handed in where the product takes it: a store, a writer of files, a socket (``tests/services/relay.py``).
The store of PostgreSQL can also be made to refuse one insert into one table by itself, with a trigger.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Table, text
from sqlmodel import Session

from core.database import Database
from core.errors import Unavailable
from core.ledger.storage import DurableWriter


class Failure(StrEnum):
    """How a write fails."""

    NOT_APPLIED = "not applied"
    APPLIED = "applied"


class FailingDatabase(Database):
    """A store whose ``nth`` write transaction from ``arm`` on fails."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.writes = 0
        self._nth = 0
        self._how = Failure.NOT_APPLIED

    def arm(self, nth: int, how: Failure) -> None:
        self.writes, self._nth, self._how = 0, nth, how

    @contextmanager
    def write(self) -> Iterator[Session]:
        """As the store's own: rolled back, or committed and then not answered for."""
        self.writes += 1
        fails = self.writes == self._nth
        with super().write() as session:
            yield session
            if fails and self._how is Failure.NOT_APPLIED:
                raise Unavailable("the store does not answer: broken by the test")
        if fails:
            raise Unavailable("the store does not answer: broken by the test, after its commit")

    def insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        """As the store's own: not stored, or stored and then not answered for."""
        self.writes += 1
        fails = self.writes == self._nth
        if not fails or self._how is Failure.APPLIED:
            super().insert(table, rows)
        if fails:
            raise Unavailable("the store does not answer: broken by the test")


class FailingWriter:
    """Writes files durably, but for the ``nth``."""

    def __init__(self, nth: int, how: Failure) -> None:
        self.writes = 0
        self._nth = nth
        self._how = how
        self._inner = DurableWriter()

    def write(self, path: Path, content: bytes) -> None:
        self.writes += 1
        fails = self.writes == self._nth
        if not fails or self._how is Failure.APPLIED:
            self._inner.write(path, content)
        if fails:
            raise OSError(28, "no space left, says the test")


@contextmanager
def failing_insert(database: Database, table: str, nth: int = 1) -> Iterator[None]:
    """Let PostgreSQL refuse the ``nth`` insert into ``table``, and no other (a full disk, SQLSTATE 53100).

    A sequence counts, because what a sequence has given survives the roll-back.
    """
    function = f"""
        CREATE FUNCTION refuse_once() RETURNS trigger AS $$ BEGIN
          IF nextval('refusals') = {nth} THEN
            RAISE EXCEPTION 'broken by the test' USING ERRCODE = '53100';
          END IF;
          RETURN NEW;
        END $$ LANGUAGE plpgsql
    """
    trigger = f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_once()"
    undone = (f"DROP TRIGGER refuse ON {table}", "DROP FUNCTION refuse_once()", "DROP SEQUENCE refusals")
    _execute(database, "CREATE SEQUENCE refusals", function, trigger)
    try:
        yield
    finally:
        _execute(database, *undone)


def _execute(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
