from pathlib import Path

import pytest

from core.database import Database
from tests.clock import ManualClock
from tests.core.ledger.logs import Log


@pytest.fixture
def log(database: Database, clock: ManualClock, tmp_path: Path) -> Log:
    """An empty log over an empty store, on SQLite and on PostgreSQL."""
    return Log(database, clock, tmp_path)


@pytest.fixture
def sqlite_log(sqlite_database: Database, clock: ManualClock, tmp_path: Path) -> Log:
    return Log(sqlite_database, clock, tmp_path)
