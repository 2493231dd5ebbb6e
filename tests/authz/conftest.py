"""The house on both stores, on SQLite alone, and behind a real nginx."""

import importlib
import shutil
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
from tests.conftest import MODELS
from tests.pki import conftest as authorities
from tests.services import postgres
from tests.services.softhsm import Running


def _prepare(url: str, signer: Running, folder: Path) -> None:
    for name in MODELS:
        importlib.import_module(name)
    database = Database(url)
    SQLModel.metadata.create_all(database.engine)
    authorities.build(database, ManualClock(), signer, folder)
    database.close()


@pytest.fixture(scope="session")
def prepared_file(signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with province and authorities, to be copied for every test."""
    folder = tmp_path_factory.mktemp("prepared")
    _prepare(f"sqlite:///{folder}/store.sqlite3", signer_process, folder)
    return folder / "store.sqlite3"


@pytest.fixture(scope="session")
def prepared_template(
    signer_process: Running, postgres_cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The same on PostgreSQL: the name of a template."""
    url = postgres_cluster.create()
    _prepare(url, signer_process, tmp_path_factory.mktemp("prepared"))
    return url.split("@/")[1].split("?")[0]


def _house(url: str, clock: ManualClock, signer: Running, folder: Path) -> Iterator[House]:
    database = Database(url)
    yield houses.build(houses.reopen(database, clock, signer, folder))
    database.close()


def _copied(prepared: Path, folder: Path) -> str:
    shutil.copy(prepared, folder / "store.sqlite3")
    return f"sqlite:///{folder}/store.sqlite3"


@pytest.fixture(params=["sqlite", "postgres"])
def house(
    request: pytest.FixtureRequest, clock: ManualClock, signer_process: Running, tmp_path: Path
) -> Iterator[House]:
    if request.param == "sqlite":
        yield from _house(_copied(request.getfixturevalue("prepared_file"), tmp_path), clock, signer_process, tmp_path)
        return
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.lent(request.getfixturevalue("prepared_template")) as url:
        yield from _house(url, clock, signer_process, tmp_path)


@pytest.fixture
def sqlite_house(prepared_file: Path, clock: ManualClock, signer_process: Running, tmp_path: Path) -> Iterator[House]:
    yield from _house(_copied(prepared_file, tmp_path), clock, signer_process, tmp_path)


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
