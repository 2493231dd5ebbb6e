"""Five kills at every crash point, over SQLite."""

import pytest

from tests.crash.kills import FRESH, KILLS, SHARED, strike, strike_founding
from tests.crash.site import Site, StoreMaker, Token


@pytest.fixture(scope="module")
def stores(sqlite: StoreMaker) -> StoreMaker:
    return sqlite


@pytest.mark.parametrize("name", SHARED)
def test_five_kills(site: Site, name: str) -> None:
    for number in range(KILLS):
        strike(site, name, number)


@pytest.mark.parametrize("name", FRESH)
def test_five_kills_of_the_founding(token: Token, stores: StoreMaker, name: str) -> None:
    for number in range(KILLS):
        strike_founding(token, stores, name, number)
