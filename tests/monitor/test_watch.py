"""The monitor is monitored: windows from what the engine says, over restarts and kills."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.sighting import LARGEST, Blind
from monitor.spool import Spool
from monitor.watch import Watch
from tests.clock import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    with closing(Spool(path)) as made:
        yield made


def told(spool: Spool) -> list[Blind]:
    return [one for _number, one in spool.unsent() if isinstance(one, Blind)]


def test_the_first_start_tells_nothing(spool: Spool, clock: ManualClock) -> None:
    watch = Watch(name="sensor-1", spool=spool)
    watch.started(now=clock.now())
    clock.advance(seconds=2)
    watch.seeing(100, 0, now=clock.now())
    assert told(spool) == []


def test_an_engine_that_ended_is_told_from_when_it_was_seen_last(spool: Spool, clock: ManualClock) -> None:
    watch = Watch(name="sensor-1", spool=spool)
    watch.started(now=clock.now())
    clock.advance(seconds=2)
    watch.seeing(100, 0, now=clock.now())
    seen = clock.now()
    clock.advance(seconds=2)
    assert watch.blind("engine-ended", now=clock.now())
    assert not watch.blind("engine-ended", now=clock.now())
    clock.advance(seconds=3)
    watch.started(now=clock.now())
    opened, closed = told(spool)
    assert (opened.id, opened.revision, opened.until) == (closed.id, 1, None)
    assert (closed.at, closed.until, closed.revision, closed.cause) == (seen, clock.now(), 2, "engine-ended")


def test_a_sensor_that_was_killed_tells_it_at_its_next_start(path: Path, clock: ManualClock) -> None:
    with closing(Spool(path)) as spool:
        Watch(name="sensor-1", spool=spool).started(now=clock.now())
    seen = clock.now()
    clock.advance(minutes=5)
    with closing(Spool(path)) as spool:
        Watch(name="sensor-1", spool=spool).started(now=clock.now())
        (window,) = told(spool)
        assert (window.at, window.until, window.cause) == (seen, clock.now(), "sensor-stopped")


def test_a_sensor_killed_while_blind_goes_on_with_that_window(path: Path, clock: ManualClock) -> None:
    with closing(Spool(path)) as spool:
        watch = Watch(name="sensor-1", spool=spool)
        watch.started(now=clock.now())
        watch.blind("engine-ended", now=clock.now())
    clock.advance(minutes=5)
    with closing(Spool(path)) as spool:
        watch = Watch(name="sensor-1", spool=spool)
        assert not watch.blind("engine-silent", now=clock.now())
        watch.started(now=clock.now())
        opened, closed = told(spool)
        assert opened.id == closed.id
        assert closed.until == clock.now()


@pytest.mark.parametrize(("dropped", "blind"), [(0, False), (10, False), (11, True), (500, True)])
def test_drops_above_one_in_a_hundred_are_a_window(spool: Spool, clock: ManualClock, dropped: int, blind: bool) -> None:
    watch = Watch(name="sensor-1", spool=spool)
    watch.started(now=clock.now())
    began = clock.now()
    clock.advance(seconds=2)
    watch.seeing(1000, dropped, now=clock.now())
    # What was counted once is not counted again.
    clock.advance(seconds=2)
    watch.seeing(2000, dropped, now=clock.now())
    windows = told(spool)
    assert len(windows) == int(blind)
    for window in windows:
        assert (window.cause, window.dropped, window.at) == ("drops", dropped, began)


def test_counts_beyond_what_can_be_told_are_cut(spool: Spool, clock: ManualClock) -> None:
    watch = Watch(name="sensor-1", spool=spool)
    watch.started(now=clock.now())
    watch.seeing(2**40, 2**39, now=clock.now())
    assert [window.dropped for window in told(spool)] == [LARGEST]


def test_counters_begin_anew_with_the_engine(spool: Spool, clock: ManualClock) -> None:
    watch = Watch(name="sensor-1", spool=spool)
    watch.started(now=clock.now())
    watch.seeing(100_000, 0, now=clock.now())
    watch.blind("engine-ended", now=clock.now())
    watch.started(now=clock.now())
    clock.advance(seconds=2)
    watch.seeing(100, 50, now=clock.now())
    assert [window.cause for window in told(spool) if window.dropped] == ["drops"]
