"""Fixtures that every suite uses: a clock that stands, a store of either kind."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlmodel import SQLModel

from core.database import Database
from tests import memory
from tests.clock import ManualClock
from tests.services import postgres, softhsm

memory.use()

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
        "pki.takeover.models",
        "pki.tsa.models",
        "authz.models",
        "monitor.models",
        "backup.models",
    )
    if importlib.util.find_spec(name)
]


#: Modules that take longest: they begin first, so that no worker is left alone with one of them at the end.
LONGEST = (
    "test_kills_postgres",
    "test_site",
    "test_kills_sqlite",
    "test_rehearsal",
    "test_failures",
    "test_bench",
    "test_acme",
    "test_approval",
    "test_witnesses",
    "test_answering",
    "test_takeover",
    "test_founding_kills",
    "test_wire_kills",
    "test_live",
    "test_register",
    "test_bounds",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules first, all others behind in whatever order they stand."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgres"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store without tables is, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.sqlite3"
        return
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.lent() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty store with every table is, of either kind."""
    if request.param == "sqlite":
        yield _copied(request.getfixturevalue("tables_file"), tmp_path)
        return
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.lent(request.getfixturevalue("tables_template")) as url:
        yield url


@pytest.fixture(scope="session")
def tables_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store with every table, to be copied: they take longer to make than most tests."""
    file = tmp_path_factory.mktemp("tables") / "store.sqlite3"
    _make_tables(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def tables_template(postgres_cluster: postgres.Cluster) -> str:
    """The same on PostgreSQL: the name of a template."""
    url = postgres_cluster.create()
    _make_tables(url)
    return str(make_url(url).database)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store with every table, on SQLite and then on PostgreSQL."""
    with closing(Database(store_url)) as opened:
        yield opened


@pytest.fixture
def sqlite_database(tmp_path: Path, tables_file: Path) -> Iterator[Database]:
    """An empty store with every table, on SQLite only: where the store is not what is tested."""
    with closing(Database(_copied(tables_file, tmp_path))) as opened:
        yield opened


def _copied(tables: Path, folder: Path) -> str:
    shutil.copy(tables, folder / "store.sqlite3")
    return f"sqlite:///{folder}/store.sqlite3"


def _make_tables(url: str) -> None:
    for name in MODELS:
        importlib.import_module(name)
    with closing(Database(url)) as made:
        SQLModel.metadata.create_all(made.engine)


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
