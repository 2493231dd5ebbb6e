"""The sensor's own small store: bookmark, transactions seen, alerts that wait for theirs, sightings not yet delivered.

All of one batch is committed at once, bookmark included, and a commit that returned is on disk: a crash at any point
either repeats a batch from the old bookmark or goes on after it. Delivery is repeated until the centre has
acknowledged; a sighting keeps its id, so the centre takes it once.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from core.errors import Unavailable
from monitor.reader import Bookmark
from monitor.sighting import Blind, Leak, Sighting

_TABLES = """
CREATE TABLE IF NOT EXISTS bookmark (
  only INTEGER PRIMARY KEY CHECK (only = 1), inode INTEGER, offset INTEGER, epoch TEXT, head BLOB, modified INTEGER);
CREATE TABLE IF NOT EXISTS exchange (
  flow INTEGER, tx INTEGER, headers TEXT NOT NULL, seen REAL NOT NULL, PRIMARY KEY (flow, tx)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exchange_seen ON exchange (seen);
CREATE TABLE IF NOT EXISTS pending (
  id TEXT PRIMARY KEY, flow INTEGER, tx INTEGER, domain TEXT, level INTEGER NOT NULL, leak TEXT NOT NULL,
  touched REAL NOT NULL, deadline REAL NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pending_transaction ON pending (flow, tx, domain);
CREATE INDEX IF NOT EXISTS pending_state ON pending (state, touched);
CREATE TABLE IF NOT EXISTS outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, revision INTEGER NOT NULL, content TEXT NOT NULL,
  UNIQUE (id, revision));
CREATE TABLE IF NOT EXISTS refused (id TEXT, revision INTEGER, reason TEXT, content TEXT);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_SIGHTING: TypeAdapter[Leak | Blind] = TypeAdapter(Sighting)

WAITING, TOLD, AMENDABLE = "waiting", "told", "amendable"


@dataclass(frozen=True, slots=True)
class Pending:
    """An alert's leak with its transaction; ``state`` is waiting, told, or amendable (told without its request)."""

    flow: int
    tx: int
    domain: str
    level: int
    leak: Leak
    touched: float
    deadline: float
    state: str


class Spool:
    """One connection to the store at ``path``: for one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the store, making it when it is new. Raises ``Unavailable`` when that fails."""
        try:
            self._db = _opened(path)
        except sqlite3.Error as error:
            raise Unavailable(f"the sensor's spool `{path}` cannot be opened: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside at once, or nothing of it. Raises ``Unavailable`` when the disk refuses."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise Unavailable(f"the sensor's spool cannot be written: {error}") from error

    def bookmark(self) -> Bookmark | None:
        """Return where reading goes on."""
        with closing(self._db.execute("SELECT inode, offset, epoch, head, modified FROM bookmark")) as rows:
            row = rows.fetchone()
        return Bookmark(*row) if row else None

    def set_bookmark(self, mark: Bookmark) -> None:
        """Move on; inside the transaction of what was read."""
        values = (mark.inode, mark.offset, mark.epoch, mark.head, mark.modified)
        self._db.execute("INSERT OR REPLACE INTO bookmark VALUES (1, ?, ?, ?, ?, ?)", values)

    def add_exchange(self, flow: int, tx: int, headers: list[tuple[str, str]], *, now: float) -> None:
        """Keep the gateway's headers of one HTTP transaction."""
        values = (flow, tx, json.dumps(headers), now)
        self._db.execute("INSERT OR REPLACE INTO exchange VALUES (?, ?, ?, ?)", values)

    def find_exchange(self, flow: int, tx: int) -> list[tuple[str, str]] | None:
        """Return the headers of a transaction, if its record has come."""
        with closing(self._db.execute("SELECT headers FROM exchange WHERE flow=? AND tx=?", (flow, tx))) as rows:
            row = rows.fetchone()
        return [(name, value) for name, value in json.loads(row[0])] if row else None

    def find_pending(self, flow: int, tx: int, domain: str) -> Pending | None:
        """Return what is known about one transaction's leak in a domain: the entry of the highest level."""
        found = self._pending("flow=? AND tx=? AND domain=?", (flow, tx, domain))
        return max(found, key=lambda one: one.level, default=None)

    def due(self, *, now: float, settle: float) -> list[Pending]:
        """Return what is to be told: settled with its transaction at hand, past its deadline, or amendable by now.

        What was touched after ``now`` is due as well: the clock was set back, and nobody knows by how much.
        """
        joined = "EXISTS (SELECT 1 FROM exchange WHERE exchange.flow = pending.flow AND exchange.tx = pending.tx)"
        waiting = f"state=? AND (deadline <= ? OR touched > ? OR (touched <= ? AND {joined}))"
        found = [*self._pending(waiting, (WAITING, now, now, now - settle))]
        return [*found, *self._pending(f"state=? AND {joined}", (AMENDABLE,))]

    def put_pending(self, entry: Pending) -> None:
        """Enter or change an entry."""
        leak = entry.leak
        shown = leak.model_dump_json()
        values = (leak.id, entry.flow, entry.tx, entry.domain, entry.level, shown, entry.touched)
        rest = (entry.deadline, entry.state)
        self._db.execute("INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values + rest)

    def prune(self, *, before: float) -> None:
        """Forget transactions and told leaks older than ``before``: later records of theirs count as new ones."""
        self._db.execute("DELETE FROM exchange WHERE seen < ?", (before,))
        self._db.execute("DELETE FROM pending WHERE state <> ? AND touched < ?", (WAITING, before))

    def send(self, sighting: Leak | Blind) -> None:
        """Put a sighting into the outbox; the same revision twice is one."""
        values = (sighting.id, sighting.revision, sighting.model_dump_json())
        self._db.execute("INSERT OR IGNORE INTO outbox (id, revision, content) VALUES (?, ?, ?)", values)

    def unsent(self, limit: int = 100) -> list[tuple[int, Leak | Blind]]:
        """Return the oldest sightings that the centre has not acknowledged, with their numbers."""
        with closing(self._db.execute("SELECT number, content FROM outbox ORDER BY number LIMIT ?", (limit,))) as rows:
            return [(number, _SIGHTING.validate_json(content)) for number, content in rows]

    def acknowledge(self, numbers: list[int]) -> None:
        """Drop delivered sightings."""
        self._db.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in numbers])

    def set_aside(self, number: int, reason: str) -> None:
        """Keep, out of the way, a sighting that the centre cannot read, so that it does not stop the others."""
        copy = "INSERT INTO refused SELECT id, revision, ?, content FROM outbox WHERE number = ?"
        self._db.execute(copy, (reason, number))
        self.acknowledge([number])

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        statement = "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
        self._db.execute(statement, (name, by))

    def counters(self) -> dict[str, int]:
        """Return every counter."""
        with closing(self._db.execute("SELECT name, value FROM counter ORDER BY name")) as rows:
            return dict(rows.fetchall())

    def set_note(self, name: str, value: str) -> None:
        """Keep one small value, such as when the sensor last saw."""
        self._db.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, value))

    def note(self, name: str) -> str:
        """Return a kept value, empty when there is none."""
        with closing(self._db.execute("SELECT value FROM note WHERE name = ?", (name,))) as rows:
            row = rows.fetchone()
        return str(row[0]) if row else ""

    def _pending(self, condition: str, values: tuple[int | str | float, ...]) -> Iterator[Pending]:
        columns = "flow, tx, domain, level, leak, touched, deadline, state"
        statement = f"SELECT {columns} FROM pending WHERE {condition}"  # noqa: S608 - conditions are written in this file
        with closing(self._db.execute(statement, values)) as rows:
            for flow, tx, domain, level, leak, touched, deadline, state in rows.fetchall():
                found = Leak.model_validate_json(leak)
                yield Pending(flow, tx, domain, level, found, touched, deadline, state)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=15)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
