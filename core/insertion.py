"""Rows into one table by the driver itself: one transaction, one statement, and nothing in between.

A session costs three times what the store does for one row. What it gives (identity, tracked changes) is of no use to
rows that are only inserted; values are still converted by the types of the table's columns.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from sqlalchemy import Column, Dialect, Engine, Table, exc

Rows = Sequence[Mapping[str, object]]

_Values = list[tuple[object, ...]]


class Lane:
    """A connection that is kept for insertions; one thread at a time may use it, and after an error nobody."""

    def __init__(self, engine: Engine) -> None:
        """Connect. Raises SQLAlchemy's errors."""
        self._dialect = engine.dialect
        self._statements: dict[str, _Statement] = {}
        with _translated():
            self._pooled = engine.raw_connection()
            driver = self._pooled.driver_connection
            if isinstance(driver, psycopg.Connection):
                # One statement is one transaction, and one way to the server and back. What the pool lends is in none:
                # in one this is refused, and every row would be lost with it.
                driver.autocommit = True

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert ``rows`` and commit. Raises SQLAlchemy's errors: the rows may then be stored, or not."""
        statement = self._statements.get(table.name)
        if statement is None:
            statement = self._statements[table.name] = _Statement(self._dialect, table, list(rows[0]))
        driver = self._pooled.driver_connection
        with _translated():
            if isinstance(driver, sqlite3.Connection):
                _insert_sqlite(driver, statement.text, statement.values(rows))
            else:
                assert isinstance(driver, psycopg.Connection)
                _insert_postgresql(driver, statement, statement.values(rows))

    def close(self) -> None:
        """Close the connection for good."""
        self._pooled.invalidate()
        self._pooled.close()


class _Statement:
    """``INSERT`` into some columns of a table, and what their types make of Python's values."""

    def __init__(self, dialect: Dialect, table: Table, names: list[str]) -> None:
        columns = ", ".join(dialect.identifier_preparer.quote(name) for name in names)
        places = ", ".join(["?" if dialect.name == "sqlite" else "%s"] * len(names))
        into = f"INSERT INTO {dialect.identifier_preparer.format_table(table)} ({columns})"
        self.text = f"{into} VALUES ({places})"
        # PostgreSQL alone: many rows as one array for each column, in its binary form.
        lists = ", ".join(f"%b::{_kind(table.c[name], dialect)}[]" for name in names)
        self.text_of_lists = f"{into} SELECT * FROM unnest({lists})"  # noqa: S608
        self._columns = [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names]

    def values(self, rows: Rows) -> _Values:
        """Return ``rows`` as the driver takes them."""
        return [tuple(row[name] if made is None else made(row[name]) for name, made in self._columns) for row in rows]


def _insert_sqlite(driver: sqlite3.Connection, text: str, values: _Values) -> None:
    # Never in the driver's own transaction: it is told not to begin any (see core/database.py).
    if len(values) == 1:
        # One statement is one transaction.
        driver.execute(text, values[0])
        return
    driver.execute("BEGIN IMMEDIATE")
    driver.executemany(text, values)
    driver.execute("COMMIT")


def _insert_postgresql(driver: psycopg.Connection, statement: _Statement, values: _Values) -> None:
    if len(values) == 1:
        driver.execute(statement.text, values[0], prepare=True)
    else:
        driver.execute(statement.text_of_lists, [list(column) for column in zip(*values, strict=True)], prepare=True)


def _kind(column: Column[object], dialect: Dialect) -> str:
    # Without its length: a conversion would cut what is too long, the column itself refuses it.
    return column.type.compile(dialect).partition("(")[0]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, psycopg.IntegrityError) as error:
        raise exc.IntegrityError(None, None, error) from error
    except psycopg.DataError as error:
        raise exc.DataError(None, None, error) from error
    except (sqlite3.Error, psycopg.Error) as error:
        raise exc.OperationalError(None, None, error) from error
