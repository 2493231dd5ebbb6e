"""Who comes together goes together: everybody gets their own answer, nobody is carried twice or left behind."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import Malformed, Unavailable
from pki.convoy import LANES, LARGEST, Convoy


class Road:
    """Carries numbers to their doubles, remembers every convoy, and stands still while ``gate`` is shut."""

    def __init__(self) -> None:
        self.convoys: list[list[int]] = []
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.fails: Callable[[Sequence[int]], BaseException | None] = lambda _loads: None
        self._mutex = threading.Lock()
        self._on_the_road = 0
        self.most = 0

    def carry(self, loads: Sequence[int]) -> Sequence[int]:
        with self._mutex:
            self.convoys.append(list(loads))
            self._on_the_road += 1
            self.most = max(self.most, self._on_the_road)
        self.begun.release()
        self.gate.wait(30)
        with self._mutex:
            self._on_the_road -= 1
        if (error := self.fails(loads)) is not None:
            raise error
        return [2 * one for one in loads]


def fill_lanes(road: Road, convoy: Convoy[int, int], threads: ThreadPoolExecutor) -> None:
    for number in range(LANES):
        threads.submit(convoy.travel, -number)
        assert road.begun.acquire(timeout=30)


def test_a_single_one_waits_for_nobody() -> None:
    road = Road()
    road.gate.set()
    convoy = Convoy(road.carry)
    assert [convoy.travel(one) for one in (1, 2, 3)] == [2, 4, 6]
    assert road.convoys == [[1], [2], [3]]


def test_who_comes_meanwhile_goes_together() -> None:
    road = Road()
    convoy = Convoy(road.carry)
    with ThreadPoolExecutor(LANES + 20) as threads:
        fill_lanes(road, convoy, threads)
        coming = [threads.submit(convoy.travel, one) for one in range(1, 21)]
        while len(convoy._waiting) < 20:
            threading.Event().wait(0.001)
        road.gate.set()
        assert [one.result(30) for one in coming] == [2 * one for one in range(1, 21)]
    assert [len(one) for one in road.convoys] == [1] * LANES + [20]


def test_nobody_is_carried_twice_or_left_behind() -> None:
    road = Road()
    road.gate.set()
    convoy = Convoy(road.carry)
    numbers = range(4_000)
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(convoy.travel, numbers)) == [2 * one for one in numbers]
    assert sorted(one for together in road.convoys for one in together) == list(numbers)
    assert max(len(one) for one in road.convoys) <= LARGEST
    assert road.most <= LANES


def test_what_fails_is_told_to_everybody_who_came_along_and_to_nobody_else() -> None:
    road = Road()
    road.fails = lambda loads: Malformed("thirteen is not carried") if 13 in loads else None
    convoy = Convoy(road.carry)
    with ThreadPoolExecutor(LANES + 3) as threads:
        fill_lanes(road, convoy, threads)
        coming = [threads.submit(convoy.travel, one) for one in (12, 13, 14)]
        while len(convoy._waiting) < 3:
            threading.Event().wait(0.001)
        road.gate.set()
        errors = [one.exception(30) for one in coming]
    assert all(isinstance(one, Unavailable) for one in errors)
    assert len({id(one) for one in errors}) == 3
    assert all("3 requests that came together came to nothing: thirteen is not carried" in str(one) for one in errors)
    with pytest.raises(Malformed, match="thirteen"):
        convoy.travel(13)
    assert convoy.travel(12) == 24, "the lanes are free again"
