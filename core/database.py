"""The store: one engine, two ways in (``read`` and ``write``), the same code on SQLite and PostgreSQL.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit that returned is on disk. A write transaction begins
IMMEDIATE, because SQLite's deferred upgrade loses updates or deadlocks; a read transaction stays deferred.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, DateTime, Dialect, Engine, Table, create_engine, event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

from core.errors import Malformed, Unavailable
from core.insertion import Lane

#: One naming scheme for constraints, so that a migration can name what it changes on either store.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_WRITE = "guosuo_write"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, UTC in the store. A naive datetime is refused when it is written."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert to UTC; raises ``ValueError`` for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without an offset cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give back an aware datetime; SQLite returns naive ones."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Opens transactions; the only owner of the engine."""

    def __init__(self, url: str) -> None:
        """Prepare an engine for ``url`` (``sqlite:////path`` or ``postgresql+psycopg://…``); connects lazily."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        arguments = {"timeout": 15, "check_same_thread": False} if self.is_sqlite else {}
        self.engine = create_engine(url, connect_args=arguments, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
        self._writer = self.engine.execution_options(**{_WRITE: True})
        self._inserting = threading.Lock()
        self._lane: Lane | None = None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a write transaction; commit when the block ends, roll back when it raises.

        Raises ``Unavailable`` when the store cannot be reached, has no connection left, or refuses to begin or
        commit, ``Malformed`` for a value that it cannot hold.
        """
        with _translated(), Session(self._writer, expire_on_commit=False) as session:
            # Take SQLite's write lock before the first read, so that what was read cannot be stale when we write.
            session.connection()
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read transaction; whatever was changed in it is thrown away."""
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            # Closing rolls back, and leaves what was read usable: a rollback of our own would expire it.
            yield session

    def insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert ``rows`` into ``table`` in a write transaction of their own and commit it: nothing else belongs to it.

        Its connection is kept and used without a session in between, for this is asked thousands of times a second.
        Raises as ``write`` does.
        """
        with self._inserting, _translated():
            lane, self._lane = self._lane or Lane(self.engine), None
            try:
                lane.insert(table, rows)
            except BaseException:
                # Nobody knows what state it is in: the next insertion begins with another.
                lane.close()
                raise
            self._lane = lane

    def close(self) -> None:
        """Close every connection."""
        with self._inserting:
            if self._lane is not None:
                self._lane.close()
                self._lane = None
        self.engine.dispose()


@contextmanager
def within(session: Session) -> Iterator[Session]:
    """Open a part of a write transaction that can fail by itself: what it did is then undone, and nothing else."""
    with Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False) as part:
        yield part
        part.commit()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.OperationalError as error:
        raise Unavailable(f"the store does not answer: {error.orig}", hint="see `guosuo doctor`") from error
    except exc.TimeoutError as error:
        raise Unavailable("every connection to the store is taken", hint="see `guosuo doctor`") from error
    except exc.DataError as error:
        # PostgreSQL alone says so: a text with a NUL, a number or a text that is too large for its column.
        raise Malformed("the store cannot hold a value of this form") from error


def _use_wal(cursor: DBAPICursor) -> None:
    """Turn to write-ahead logging; whoever is the first needs the file alone for that, and SQLite waits for nobody."""
    for pause in (0.01, 0.05, 0.25, 1.0, 5.0):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            time.sleep(pause)
        else:
            return
    cursor.execute("PRAGMA journal_mode=WAL")


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver must not begin on its own: we say BEGIN ourselves, see _on_begin.
        connection.isolation_level = None
        cursor = connection.cursor()
        _use_wal(cursor)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=15000",
            "secure_delete=ON",
            # Four times the usual: what is appended one by one ends on the same few pages, which are copied once.
            "wal_autocheckpoint=4000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
