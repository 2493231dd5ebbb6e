"""The strike: a child works until its fuse burns, the product repairs, and everything must hold."""

import os
import signal

from tests.crash.fuse import Fuse
from tests.crash.invariant import check
from tests.crash.nursery import Child
from tests.crash.points import find_points
from tests.crash.scenarios import SCENARIOS
from tests.crash.site import Site, StoreMaker, Token

#: Kills at each point at least: the first times that its scenario passes it are among them. `make soak` asks for more.
KILLS = int(os.environ.get("GUOSUO_KILLS", "2"))

#: Most of them, however often a scenario passes a point: some pass it oftener on some days than on others.
MOST = 5
POINTS = find_points()

#: Points that one site after the other is killed at, and those that need a site of their own.
SHARED = [name for name, one in SCENARIOS.items() if not one.fresh]
FRESH = [name for name, one in SCENARIOS.items() if one.fresh]


def kills(name: str) -> range:
    """Return the numbers of the kills at a point."""
    return range(max(KILLS, min(MOST, SCENARIOS[name].hits)))


def strike(site: Site, name: str, number: int) -> None:
    """Kill once at the point ``name``."""
    scenario = SCENARIOS[name]
    hit = number % scenario.hits + 1
    child = Child(scenario.work, site.place, fuse=Fuse(POINTS[name], hit))
    status = child.wait()
    site.acknowledged += child.said()
    assert status == -signal.SIGKILL, f"{name} was not reached {hit} times: exit status {status}"
    site.settle()
    check(site)


def strike_founding(token: Token, stores: StoreMaker, name: str, number: int) -> None:
    """Kill once while a site of its own is founded."""
    site = Site(token, stores())
    try:
        strike(site, name, number)
    finally:
        site.close()
