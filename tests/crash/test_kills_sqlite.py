"""Kills at every crash point, over SQLite."""

import pytest

from tests.crash.kills import FRESH, SHARED, kills, strike, strike_founding
from tests.crash.site import Site, StoreMaker, Token


@pytest.fixture(scope="module")
def stores(sqlite: StoreMaker) -> StoreMaker:
    return sqlite


@pytest.mark.parametrize("name", SHARED)
def test_kills(site: Site, name: str) -> None:
    for number in kills(name):
        strike(site, name, number)


@pytest.mark.parametrize("name", FRESH)
def test_kills_of_the_founding(token: Token, stores: StoreMaker, name: str) -> None:
    for number in kills(name):
        strike_founding(token, stores, name, number)
