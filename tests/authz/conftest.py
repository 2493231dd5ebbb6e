"""The house on both stores, on SQLite alone, and behind a real nginx."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from core.database import Database
from tests.authz import house as houses
from tests.authz.house import House
from tests.authz.laboratory import Laboratory
from tests.clock import ManualClock
from tests.pki import conftest as authorities
from tests.services.softhsm import Running


@pytest.fixture
def house(database: Database, clock: ManualClock, signer_process: Running, tmp_path: Path) -> House:
    return houses.build(authorities.build(database, clock, signer_process, tmp_path))


@pytest.fixture
def sqlite_house(sqlite_database: Database, clock: ManualClock, signer_process: Running, tmp_path: Path) -> House:
    return houses.build(authorities.build(sqlite_database, clock, signer_process, tmp_path))


@pytest.fixture(scope="module")
def laboratory(signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """nginx, a real decision service over mutual TLS, and two applications; one for a whole module."""
    folder = tmp_path_factory.mktemp("gateway")
    database = Database(f"sqlite:///{folder}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    # OpenSSL judges by the machine's clock, so ours stands at that time.
    now = ManualClock(datetime.now(UTC) - timedelta(seconds=30))
    with Laboratory.running(authorities.build(database, now, signer_process, folder), folder) as made:
        yield made
    database.close()
