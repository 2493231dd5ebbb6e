"""Five kills at every crash point of a founding, on either store in turn."""

import pytest

from tests.crash.founding_scenarios import FOUNDING_SCENARIOS, found_again_without_bootstrap, kill_while_founding
from tests.crash.fuse import Fuse
from tests.crash.points import find_points
from tests.services import postgres

KILLS = 5
POINTS = find_points()


@pytest.mark.parametrize("name", FOUNDING_SCENARIOS)
def test_kills(postgres_cluster: postgres.Cluster, name: str) -> None:
    for number in range(KILLS):
        fuse = Fuse(POINTS[name], number % FOUNDING_SCENARIOS[name] + 1)
        kill_while_founding(fuse, postgres_cluster.create() if number % 2 else "")


def test_a_bootstrap_certificate_whose_file_is_gone_is_made_again() -> None:
    """The way out when the last appointment was lost with the bootstrap certificate that made it."""
    found_again_without_bootstrap()
