"""Fixtures that every suite uses: a clock that stands, a store of either kind."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from core.database import Database
from tests.clock import ManualClock
from tests.services import postgres, softhsm

MODELS = [
    name
    for name in (
        "core.approval.models",
        "core.duty.models",
        "core.jobs",
        "core.ledger.models",
        "core.notice.models",
        "core.registry.models",
        "core.registry.credential",
        "pki.models",
        "pki.acme.models",
        "authz.models",
        "monitor.models",
        "backup.models",
    )
    if importlib.util.find_spec(name)
]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite3"
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    return cluster.create()


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store with every table, on SQLite and then on PostgreSQL."""
    yield from _opened(store_url)


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """An empty store with every table, on SQLite only: where the store is not what is tested."""
    yield from _opened(f"sqlite:///{tmp_path}/store.sqlite3")


def _opened(url: str) -> Iterator[Database]:
    for name in MODELS:
        importlib.import_module(name)
    database = Database(url)
    SQLModel.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="session")
def signer_process() -> Iterator[softhsm.Running]:
    """One token and signer for a whole worker; keys stay in it from test to test."""
    with softhsm.running() as made:
        yield made


@pytest.fixture
def fresh_signer() -> Iterator[softhsm.Running]:
    """A token and signer of its own, to be broken."""
    with softhsm.running() as made:
        yield made
