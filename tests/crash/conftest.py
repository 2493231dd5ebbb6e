"""A token for each module, a store of the kind the module asks for, and sites on both."""

from collections.abc import Iterator

import pytest

from tests.crash.invariant import check_lists
from tests.crash.site import Founded, Site, StoreMaker, Token, postgres_stores, running_token, sqlite_stores
from tests.memory import MEMORY
from tests.services import postgres as services


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[services.Cluster]:
    """One in memory: databases are made four times as fast there, and a kill leaves what was written all the same."""
    with services.running(MEMORY) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with running_token() as made:
        yield made


@pytest.fixture(scope="module")
def sqlite() -> Iterator[StoreMaker]:
    with sqlite_stores() as make:
        yield make


@pytest.fixture(scope="module")
def postgres(request: pytest.FixtureRequest) -> StoreMaker:
    return postgres_stores(request.getfixturevalue("postgres_cluster"))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest) -> StoreMaker:
    """Both kinds; a module that wants one only says so with a fixture of this name."""
    made: StoreMaker = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="module")
def founded(token: Token, stores: StoreMaker) -> Iterator[Founded]:
    """What a site is after its founding; tests get copies."""
    made = Founded(token, stores, check_lists)
    yield made
    made.remove()


@pytest.fixture
def site(founded: Founded) -> Iterator[Site]:
    """One site for several kills: what one leaves, the next must live with. Not for all: checking grows with it."""
    made = founded.copy()
    yield made
    made.close()
