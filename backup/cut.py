"""The store's cut: one moment of the whole store in one file, and what stood in it at that moment.

SQLite: the backup interface with all pages in one step (in small steps it never ends under load). PostgreSQL:
``pg_dump`` over an exported snapshot, so that what is counted is what is dumped.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, func, inspect, make_url, select, table, text

from backup import postgres
from backup.errors import Damaged, StoreProgramFailed
from backup.manifest import LedgerCut
from core.database import Database
from core.ledger import checkpoint
from core.ledger.merkle import CompactRange
from core.ledger.models import EvidenceRow, LedgerCheckpoint
from core.ledger.stub import leaf_of

SQLITE, POSTGRESQL = "sqlite", "postgresql"

#: The store's file in an archive.
FILES = {SQLITE: "store.sqlite3", POSTGRESQL: "store.dump"}

#: Records read at once.
_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Cut:
    """``kind`` of store, rows of each table, and the evidence."""

    kind: str
    counts: Mapping[str, int]
    ledger: LedgerCut


def take(database: Database, folder: Path) -> Cut:
    """Write the store as it is at one moment into ``folder`` and say what is in it.

    Raises ``Damaged`` when the evidence contradicts what was signed: such a store is no ground to come back to.
    """
    return _take_sqlite(database, folder) if database.is_sqlite else _take_postgresql(database, folder)


def _take_sqlite(database: Database, folder: Path) -> Cut:
    target = folder / FILES[SQLITE]
    place = str(make_url(database.url).database)
    try:
        with closing(sqlite3.connect(place, timeout=15)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy, pages=-1)
            # One file, without a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise StoreProgramFailed(f"the store cannot be copied: {error}", hint="see `guosuo doctor`") from error
    engine = create_engine(f"sqlite:///file:{target}?mode=ro&uri=true")
    with engine.connect() as connection:
        measured = measure(connection)
    engine.dispose()
    return Cut(SQLITE, *measured)


def _take_postgresql(database: Database, folder: Path) -> Cut:
    reader = database.engine.execution_options(isolation_level="REPEATABLE READ")
    with reader.connect() as connection:
        snapshot = str(connection.scalar(text("SELECT pg_export_snapshot()")))
        # The snapshot lives as long as this transaction.
        target = folder / FILES[POSTGRESQL]
        url = postgres.plain_url(database.url)
        postgres.run("pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={target}", url)
        measured = measure(connection)
    return Cut(POSTGRESQL, *measured)


def measure(connection: Connection) -> tuple[Mapping[str, int], LedgerCut]:
    """Count every table and hash all evidence. Raises ``Damaged`` for a gap or a checkpoint that does not fit."""
    names = sorted(inspect(connection).get_table_names())
    counts = {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}
    return counts, _measure_ledger(connection)


def _measure_ledger(connection: Connection) -> LedgerCut:
    newest = connection.execute(
        select(LedgerCheckpoint.size, LedgerCheckpoint.root, LedgerCheckpoint.note)  # type: ignore[call-overload]  # columns
        .order_by(LedgerCheckpoint.size.desc())  # type: ignore[attr-defined]  # a column
        .limit(1)
    ).first()
    signed = int(newest.size) if newest else 0
    tree = CompactRange()
    numbered = select(EvidenceRow.sequence, EvidenceRow.content).where(EvidenceRow.sequence.is_not(None))  # type: ignore[call-overload, union-attr]  # columns
    rows = connection.execution_options(yield_per=_BATCH).execute(numbered.order_by(EvidenceRow.sequence))
    with rows:
        for sequence, content in rows:
            if sequence != tree.size:
                raise Damaged(f"record {tree.size} is missing in the store's evidence")
            tree.append(leaf_of(content))
            if newest and tree.size == signed and tree.root().hex() != newest.root:
                raise Damaged(f"the first {signed} records in the store are not those that were signed")
    if tree.size < signed:
        raise Damaged(f"a checkpoint of size {signed} was signed, the store holds {tree.size} records")
    unnumbered = select(func.count()).select_from(EvidenceRow).where(EvidenceRow.sequence.is_(None))  # type: ignore[union-attr]  # a column
    note = newest.note.decode() if newest else ""
    return LedgerCut(
        size=tree.size, root=tree.root().hex(), unnumbered=connection.scalar(unnumbered) or 0, checkpoint=note
    )


def check_signed(ledger: LedgerCut, key: checkpoint.VerifierKey) -> None:
    """Verify the checkpoint of a cut. Raises ``BadCheckpoint`` or ``BadCheckpointSignature``."""
    if ledger.checkpoint:
        checkpoint.verify_checkpoint(ledger.checkpoint.encode(), key)
