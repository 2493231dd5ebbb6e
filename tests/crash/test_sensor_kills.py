"""Five kills at every crash point of the sensor's way from Suricata's record to the centre."""

import signal

import pytest

from tests.crash.fuse import Fuse
from tests.crash.points import find_points
from tests.crash.sensor_scenarios import SENSOR_SCENARIOS, kill_while_sensing

KILLS = 5
POINTS = find_points()


@pytest.mark.parametrize("name", SENSOR_SCENARIOS)
def test_kills(name: str) -> None:
    for number in range(KILLS):
        fuse = Fuse(POINTS[name], number % SENSOR_SCENARIOS[name] + 1)
        assert kill_while_sensing(fuse) == -signal.SIGKILL
