"""The sensor's store: all of a batch or nothing, also when the process is killed in the middle or the disk refuses."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import Unavailable
from monitor.reader import Bookmark
from monitor.sighting import Blind
from monitor.spool import TOLD, WAITING, Pending, Spool
from tests.monitor import province

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
MARK = Bookmark(7, 100, "00ff", b"head", 5)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool.sqlite3")) as made:
        yield made


def entry(number: int, *, touched: float = 1.0, state: str = WAITING, level: int = 3) -> Pending:
    leak = province.leak(number, "li-wen", NOW)
    return Pending(number, 0, "outer-finance", level, leak, touched, touched + 3, state)


def test_what_was_committed_is_there_after_opening_anew(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite3"
    with closing(Spool(path)) as one, one.transaction():
        one.set_bookmark(MARK)
        one.send(province.leak(1, "li-wen", NOW))
        one.put_pending(entry(2))
        one.count("eve-malformed", 2)
        one.set_note("plan", "x")
    with closing(Spool(path)) as two:
        assert two.bookmark() == MARK
        assert [sighting.id for _number, sighting in two.unsent()] == ["sensor-1:00ff:1"]
        assert two.find_pending(2, 0, "outer-finance") == entry(2)
        assert two.counters() == {"eve-malformed": 2}
        assert (two.note("plan"), two.note("other")) == ("x", "")


def test_an_error_inside_leaves_nothing(spool: Spool) -> None:
    with pytest.raises(RuntimeError), spool.transaction():
        spool.set_bookmark(MARK)
        spool.send(province.leak(1, "li-wen", NOW))
        raise RuntimeError
    assert spool.bookmark() is None
    assert spool.unsent() == []
    with spool.transaction():
        spool.count("after")
    assert spool.counters() == {"after": 1}


def _die_inside(path: Path, *, committed: bool) -> None:
    spool = Spool(path)
    with spool.transaction():
        spool.set_bookmark(MARK)
        spool.send(province.leak(1, "li-wen", NOW))
        if not committed:
            os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("committed", [False, True])
def test_killed_it_holds_all_or_nothing(tmp_path: Path, committed: bool) -> None:
    path = tmp_path / "spool.sqlite3"
    Spool(path).close()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_die_inside, args=(path,), kwargs={"committed": committed})
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    child.close()
    with closing(Spool(path)) as spool:
        assert (spool.bookmark() == MARK) is committed
        assert len(spool.unsent()) == int(committed)


def test_a_disk_that_refuses_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite3"
    with closing(Spool(path)) as spool:
        spool._db.execute("PRAGMA max_page_count = 1").close()
        with pytest.raises(Unavailable, match="cannot be written"), spool.transaction():
            for number in range(200):
                spool.send(province.leak(number, "li-wen", NOW))
        assert spool.unsent() == []
    (tmp_path / "no").write_bytes(b"this is no database, but it is long enough to be taken for one" * 20)
    with pytest.raises(Unavailable, match="cannot be opened"):
        Spool(tmp_path / "no")
    with pytest.raises(Unavailable, match="cannot be opened"):
        Spool(tmp_path / "missing" / "spool.sqlite3")


def test_two_connections_write_in_turn(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite3"
    with closing(Spool(path)) as one, closing(Spool(path)) as two:
        for _ in range(20):
            for each in (one, two):
                with each.transaction():
                    each.count("turns")
        assert one.counters() == two.counters() == {"turns": 40}


def test_the_same_revision_waits_once_and_in_order(spool: Spool) -> None:
    first, second = province.leak(1, "li-wen", NOW), Blind(id="sensor-1:x", sensor="sensor-1", at=NOW, cause="x")
    with spool.transaction():
        for sighting in (first, second, first, first.model_copy(update={"revision": 2})):
            spool.send(sighting)
    entries = spool.unsent()
    assert [(one.id, one.revision) for _number, one in entries] == [(first.id, 1), (second.id, 1), (first.id, 2)]
    assert [number for number, _one in spool.unsent(2)] == [number for number, _one in entries[:2]]
    with spool.transaction():
        spool.acknowledge([entries[0][0]])
        spool.set_aside(entries[1][0], "unreadable")
    assert [one.revision for _number, one in spool.unsent()] == [2]
    with closing(spool._db.execute("SELECT id, reason FROM refused")) as rows:
        assert rows.fetchall() == [("sensor-1:x", "unreadable")]


def test_due_is_what_is_settled_late_or_from_the_future(spool: Spool) -> None:
    with spool.transaction():
        for number, touched, joined in ((1, 10.0, True), (2, 10.0, False), (3, 5.0, False), (4, 99.0, False)):
            spool.put_pending(entry(number, touched=touched))
            if joined:
                spool.add_exchange(number, 0, [("x-guosuo-request", "a")], now=touched)
        spool.put_pending(entry(5, touched=1.0, state=TOLD))
        spool.put_pending(entry(6, touched=1.0, state="amendable"))
        spool.put_pending(entry(7, touched=1.0, state="amendable"))
        spool.add_exchange(6, 0, [], now=11.0)
    assert sorted(one.flow for one in spool.due(now=10.05, settle=0.1)) == [3, 4, 6]
    assert sorted(one.flow for one in spool.due(now=10.2, settle=0.1)) == [1, 3, 4, 6]
    assert sorted(one.flow for one in spool.due(now=float("inf"), settle=0.1)) == [1, 2, 3, 4, 6]


def test_old_transactions_are_forgotten_and_waiting_ones_kept(spool: Spool) -> None:
    with spool.transaction():
        spool.add_exchange(1, 0, [], now=1.0)
        spool.add_exchange(2, 0, [], now=100.0)
        spool.put_pending(entry(1, touched=1.0, state=TOLD))
        spool.put_pending(entry(2, touched=1.0, state=WAITING))
        spool.prune(before=50.0)
    assert spool.find_exchange(1, 0) is None
    assert spool.find_exchange(2, 0) == []
    assert spool.find_pending(1, 0, "outer-finance") is None
    assert spool.find_pending(2, 0, "outer-finance") is not None


def test_the_highest_level_of_a_transaction_is_found(spool: Spool) -> None:
    low, high = entry(1, level=2), entry(1, level=4)
    later = province.leak(9, "li-wen", NOW + timedelta(seconds=1))
    with spool.transaction():
        spool.put_pending(low)
        spool.put_pending(Pending(1, 0, "outer-finance", 4, later, 1.0, 4.0, WAITING))
    found = spool.find_pending(1, 0, "outer-finance")
    assert found is not None
    assert (found.level, found.leak.id) == (high.level, later.id)
