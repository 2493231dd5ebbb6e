"""Kills at every crash point of a sensor with a real Suricata."""

import pytest

from tests.crash.fuse import Fuse
from tests.crash.points import find_points
from tests.crash.wire_scenarios import PREPARING, WATCHING, kill_while_preparing, kill_while_watching

KILLS = 3
POINTS = find_points()


@pytest.mark.lab
@pytest.mark.parametrize("name", WATCHING)
def test_kills_one_after_the_other(name: str) -> None:
    kill_while_watching([Fuse(POINTS[name])] * KILLS)


def test_kills_before_the_rules_are_put_in_place() -> None:
    for _ in range(KILLS):
        kill_while_preparing(Fuse(POINTS[PREPARING]))
