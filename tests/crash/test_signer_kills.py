"""Five kills at every crash point of the signer, of the making of a token, and of a durable write."""

import pytest

from tests.crash.fuse import Fuse
from tests.crash.points import find_points
from tests.crash.signer_scenarios import SIGNER_SCENARIOS
from tests.crash.site import Token

KILLS = 5
POINTS = find_points()


@pytest.mark.parametrize("name", SIGNER_SCENARIOS)
def test_kills(token: Token, name: str) -> None:
    strike, hits = SIGNER_SCENARIOS[name]
    for number in range(KILLS):
        label = f"key-{list(SIGNER_SCENARIOS).index(name)}-{number}"
        strike(token, Fuse(POINTS[name], number % hits + 1), label)
