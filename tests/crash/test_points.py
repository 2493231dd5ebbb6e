"""Every durable step is named, in the table, and killed at; the fuse burns where it should, the witness sees."""

import hashlib
import runpy
from pathlib import Path

import pytest

from pki import listing
from tests.crash.founding_scenarios import FOUNDING_SCENARIOS
from tests.crash.fuse import Fuse
from tests.crash.notice_scenarios import NOTICE_SCENARIOS
from tests.crash.pair_scenarios import PAIR_SCENARIOS
from tests.crash.points import Point, find_points, points_of
from tests.crash.recovery_scenarios import RECOVERY_SCENARIOS
from tests.crash.scenarios import SCENARIOS
from tests.crash.sensor_scenarios import SENSOR_SCENARIOS
from tests.crash.signer_scenarios import SIGNER_SCENARIOS
from tests.crash.site import Site, StoreMaker
from tests.crash.table import rows
from tests.crash.wire_scenarios import PREPARING, WATCHING

POINTS = find_points()

COVERED = [
    *SCENARIOS,
    *SIGNER_SCENARIOS,
    *SENSOR_SCENARIOS,
    *NOTICE_SCENARIOS,
    *PAIR_SCENARIOS,
    *FOUNDING_SCENARIOS,
    *RECOVERY_SCENARIOS,
    *WATCHING,
    PREPARING,
]


def test_table_and_comments_are_the_same_points() -> None:
    assert [row.name for row in rows()] == list(POINTS)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_every_row_says_something(row: object) -> None:
    assert all(len(text) > 3 for text in vars(row).values())


def test_every_point_is_killed_at() -> None:
    assert sorted(COVERED) == sorted(POINTS)


SAMPLE = """
def step(done):
    done.append("step")


class Thing:
    def act(self, done, fail=False):
        with self.block(done):
            step(done)
        # A crash here leaves one.
        for _ in range(2):
            # A crash here leaves six.
            step(
                done,
            )
            # A crash here leaves two,
            # or more.
        try:
            if fail:
                raise ValueError
            # A crash here leaves three.
            step(done)
        except ValueError:
            return "failed"
        if not fail:
            step(done)
        # A crash here leaves four.

    from contextlib import contextmanager

    @contextmanager
    def block(self, done):
        yield
        done.append("committed")
        # A crash here leaves five.
"""


@pytest.fixture
def sample(tmp_path: Path) -> tuple[Path, dict[str, Point]]:
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE)
    return path, {point.name: point for point in points_of(path, tmp_path)}


class Burnt(Exception):
    pass


def burn() -> None:
    raise Burnt


@pytest.mark.parametrize(
    ("name", "hit", "before"),
    [
        ("sample.Thing.act#1", 1, ["step", "committed"]),
        ("sample.Thing.act#2", 1, ["step", "committed"]),
        ("sample.Thing.act#2", 2, ["step", "committed", "step"]),
        ("sample.Thing.act#3", 1, ["step", "committed", "step"]),
        ("sample.Thing.act#3", 2, ["step", "committed", "step", "step"]),
        ("sample.Thing.act#4", 1, ["step", "committed", "step", "step"]),
        ("sample.Thing.act#5", 1, ["step", "committed", "step", "step", "step", "step"]),
        ("sample.Thing.block#1", 1, ["step", "committed"]),
    ],
)
def test_fuse_burns_right_after_the_step(
    sample: tuple[Path, dict[str, Point]], name: str, hit: int, before: list[str]
) -> None:
    path, points = sample
    thing, done = runpy.run_path(str(path))["Thing"](), []
    fuse = Fuse(points[name], hit, burn)
    fuse.arm()
    try:
        with pytest.raises(Burnt):
            thing.act(done)
    finally:
        fuse.disarm()
    assert done == before


def test_fuse_does_not_burn_where_a_step_failed(sample: tuple[Path, dict[str, Point]]) -> None:
    path, points = sample
    thing, done = runpy.run_path(str(path))["Thing"](), []
    for name in ("sample.Thing.act#4", "sample.Thing.act#5"):
        fuse = Fuse(points[name], 1, burn)
        fuse.arm()
        try:
            assert thing.act(done, fail=True) == "failed"
        finally:
            fuse.disarm()


@pytest.fixture(scope="module")
def stores(sqlite: StoreMaker) -> StoreMaker:
    return sqlite


def test_witness_sees_what_is_not_on_record(site: Site) -> None:
    site.parts.issue()
    site.parts.publisher.refresh(force=True)
    assert site.witness.violations == []
    lists = sum(len(listing.scopes(name)) for name in ("root", "issuing"))
    assert (len(site.witness.serials), len(site.witness.lists)) == (6, 2 * lists)
    site.parts.keys.sign("issuing-ca", hashlib.sha256(b"nobody wrote this down").digest())
    assert len(site.witness.violations) == 1
