"""Sites to be backed up, lost and brought back."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.backup.realm import Realm, made
from tests.services import postgres
from tests.services.softhsm import Running

NewStore = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_store(kind: str, request: pytest.FixtureRequest) -> Iterator[NewStore]:
    """Give the URL of a fresh PostgreSQL database, or nothing for SQLite."""
    if kind == "sqlite":
        yield lambda: ""
        return
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    with ExitStack() as stack:
        yield lambda: stack.enter_context(cluster.lent())


@pytest.fixture
def realm(new_store: NewStore, tmp_path: Path, signer_process: Running) -> Iterator[Realm]:
    """A site on either store."""
    with made(tmp_path, signer_process, new_store()) as site:
        yield site


@pytest.fixture
def sqlite_realm(tmp_path: Path, signer_process: Running) -> Iterator[Realm]:
    """A site on SQLite, where the store is not what is tested."""
    with made(tmp_path, signer_process) as site:
        yield site


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, signer_process: Running) -> Iterator[Realm]:
    """A site with one sealed point and a day after it; its repository is only read, damage goes into copies."""
    with ExitStack() as stack:
        site = stack.enter_context(made(tmp_path_factory.mktemp("lasting"), signer_process))
        first = site.issue()
        site.sequence()
        site.point()
        site.issue("zhao-ra")
        site.revoke(first)
        site.pki.publisher.refresh()
        site.sequence()
        yield site
