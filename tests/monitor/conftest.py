"""Stores that hold the sample province already: copies of one that was filled once, on both kinds."""

import importlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlmodel import SQLModel

from core.database import Database
from tests.clock import ManualClock
from tests.conftest import MODELS
from tests.monitor import province, service
from tests.services.postgres import Cluster
from tests.services.softhsm import Running

KINDS = ["sqlite", "postgres"]


@dataclass
class Stores:
    """Makes stores of one kind; ``province`` is one that holds the register, ``established`` an authority as well."""

    kind: str
    folder: Path
    cluster: Cluster | None = None
    made: int = 0

    @contextmanager
    def lent(self, template: str) -> Iterator[Database]:
        """Open a new store like the one at ``template`` for a while."""
        with ExitStack() as stack:
            if self.cluster is None:
                url = self.copy(template)
            else:
                url = stack.enter_context(self.cluster.lent(str(make_url(template).database)))
            yield stack.enter_context(closing(Database(url)))

    def copy(self, template: str = "") -> str:
        """Return the URL of a new store, empty or like the one at ``template``."""
        self.made += 1
        if self.cluster is not None:
            return self.cluster.create(str(make_url(template).database)) if template else self.cluster.create()
        path = self.folder / f"store-{self.made}.sqlite3"
        if template:
            shutil.copy(str(make_url(template).database), path)
        return f"sqlite:///{path}"


@pytest.fixture(scope="session", params=KINDS)
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """SQLite and then PostgreSQL."""
    cluster = request.getfixturevalue("postgres_cluster") if request.param == "postgres" else None
    return Stores(request.param, tmp_path_factory.mktemp(request.param), cluster)


@pytest.fixture(scope="session")
def province_template(stores: Stores) -> str:
    for name in MODELS:
        importlib.import_module(name)
    url = stores.copy()
    database = Database(url)
    SQLModel.metadata.create_all(database.engine)
    province.load(database, ManualClock().now())
    database.close()
    return url


@pytest.fixture(scope="session")
def established_template(stores: Stores, province_template: str, signer_process: Running) -> tuple[str, Path]:
    url, folder = stores.copy(province_template), stores.folder / "certificates"
    folder.mkdir()
    database = Database(url)
    service.establish(database, signer_process.client, folder)
    database.close()
    return url, folder


@pytest.fixture
def store(stores: Stores, province_template: str) -> Iterator[Database]:
    """The province on either kind of store."""
    with stores.lent(province_template) as database:
        yield database


@pytest.fixture
def site(
    stores: Stores, established_template: tuple[str, Path], signer_process: Running, tmp_path: Path
) -> Iterator[service.Site]:
    """The province with an authority; certificates of service, sensor and analyst are handed out already."""
    template, certificates = established_template
    folder = shutil.copytree(certificates, tmp_path / "certificates")
    with stores.lent(template) as database:
        yield service.Site(database, signer_process.client, folder)
