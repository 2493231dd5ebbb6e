"""Five kills at every crash point; after each the site is repaired as the product does it, and everything holds."""

import signal
from collections.abc import Iterator

import pytest

from tests.crash.fuse import Fuse
from tests.crash.invariant import check
from tests.crash.nursery import Child
from tests.crash.points import find_points
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.site import Site, StoreMaker, Token, postgres_stores, running_token, sqlite_stores

KILLS = 5
POINTS = find_points()


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with running_token() as made:
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest) -> Iterator[StoreMaker]:
    if request.param == "postgres":
        yield postgres_stores(request.getfixturevalue("postgres_cluster"))
        return
    with sqlite_stores() as make:
        yield make


@pytest.fixture(scope="module")
def site(token: Token, stores: StoreMaker) -> Iterator[Site]:
    """One site for many kills: what one leaves, the next must live with."""
    made = Site(token, stores())
    made.settle()
    yield made
    made.close()


def strike(site: Site, scenario: Scenario, name: str, hit: int) -> None:
    child = Child(scenario.work, site.place, fuse=Fuse(POINTS[name], hit))
    status = child.wait()
    site.acknowledged += child.said()
    assert status == -signal.SIGKILL, f"{name} was not reached {hit} times: exit status {status}"
    site.settle()
    check(site)


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if not one.fresh])
def test_five_kills(site: Site, name: str) -> None:
    scenario = SCENARIOS[name]
    for number in range(KILLS):
        strike(site, scenario, name, number % scenario.hits + 1)


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.fresh])
def test_five_kills_of_the_founding(token: Token, stores: StoreMaker, name: str) -> None:
    scenario = SCENARIOS[name]
    for number in range(KILLS):
        made = Site(token, stores())
        try:
            strike(made, scenario, name, number % scenario.hits + 1)
        finally:
            made.close()
