"""Five kills at every crash point of whoever changes key and certificate."""

import signal

import pytest

from tests.crash.fuse import Fuse
from tests.crash.pair_scenarios import PAIR_SCENARIOS, kill_while_changing
from tests.crash.points import find_points

KILLS = 5
POINTS = find_points()


@pytest.mark.parametrize("name", PAIR_SCENARIOS)
def test_kills(name: str) -> None:
    for number in range(KILLS):
        fuse = Fuse(POINTS[name], number % PAIR_SCENARIOS[name] + 1)
        assert kill_while_changing(fuse) == -signal.SIGKILL
