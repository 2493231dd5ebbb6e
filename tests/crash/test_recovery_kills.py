"""Five kills at every crash point of a recovery point and of a restore, on either store in turn."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.backup import realm as realms
from tests.backup.realm import Realm
from tests.crash.fuse import Fuse
from tests.crash.points import find_points
from tests.crash.recovery_scenarios import ON_POSTGRESQL, RECOVERY_SCENARIOS
from tests.services import postgres
from tests.services.softhsm import Running

KILLS = 5
POINTS = find_points()


@pytest.fixture(scope="module")
def sites(
    tmp_path_factory: pytest.TempPathFactory, signer_process: Running, postgres_cluster: postgres.Cluster
) -> Iterator[list[Realm]]:
    """A site on SQLite and one on PostgreSQL: a sealed point, and after it a revocation that only the mirror knows."""
    with ExitStack() as stack:
        made = []
        for url in ("", postgres_cluster.create()):
            site = stack.enter_context(realms.made(tmp_path_factory.mktemp("site"), signer_process, url))
            serial = site.issue()
            site.sequence()
            site.point()
            site.revoke(serial)
            site.sequence()
            made.append(site)
        yield made


@pytest.mark.parametrize("name", RECOVERY_SCENARIOS)
def test_kills(sites: list[Realm], postgres_cluster: postgres.Cluster, name: str) -> None:
    for number in range(KILLS):
        if number % 2 or name in ON_POSTGRESQL:
            RECOVERY_SCENARIOS[name](sites[1], postgres_cluster.create, Fuse(POINTS[name]))
        else:
            RECOVERY_SCENARIOS[name](sites[0], str, Fuse(POINTS[name]))
