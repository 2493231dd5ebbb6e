"""Delivery: repeated until acknowledged, in order, once in effect; what the centre cannot read stops nothing."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import select

from core.database import Database
from core.errors import Forbidden, Malformed, TrustError, Unavailable
from monitor.courier import Courier
from monitor.models import Finding
from monitor.sighting import Blind, Leak, Plan
from monitor.spool import Spool
from tests.clock import ManualClock
from tests.monitor import province
from tests.monitor.centre import DirectCentre

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


class Way:
    """The way to a centre, which can break before or after the centre has committed."""

    def __init__(self, centre: DirectCentre | None = None) -> None:
        self.centre = centre
        self.before: list[TrustError | None] = []
        self.after: list[TrustError | None] = []
        self.unreadable: set[str] = set()
        self.reports: list[list[str]] = []

    def report(self, sightings: list[Leak | Blind]) -> None:
        if self.before and (error := self.before.pop(0)):
            raise error
        if self.unreadable & {one.id for one in sightings}:
            raise Malformed("`sightings.0.path`: string should match pattern")
        self.reports.append([one.id for one in sightings])
        if self.centre is not None:
            self.centre.report(sightings)
        if self.after and (error := self.after.pop(0)):
            raise error

    def plan(self) -> Plan:
        raise Unavailable("not asked here")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool.sqlite3")) as made:
        yield made


def fill(spool: Spool, count: int) -> list[str]:
    leaks = [province.leak(number, "li-wen", NOW) for number in range(1, count + 1)]
    with spool.transaction():
        for one in leaks:
            spool.send(one)
    return [one.id for one in leaks]


def test_everything_goes_in_order_and_in_batches(spool: Spool) -> None:
    ids, way = fill(spool, 250), Way()
    courier = Courier(spool=spool, centre=way)
    assert [courier.deliver() for _ in range(4)] == [100, 100, 50, 0]
    assert [one for report in way.reports for one in report] == ids
    assert spool.unsent() == []


@pytest.mark.parametrize("error", [Unavailable("away"), Forbidden("no sensor any more")])
@pytest.mark.parametrize("applied", [False, True])
def test_a_centre_that_fails_gets_it_again(
    spool: Spool, sqlite_database: Database, clock: ManualClock, error: TrustError, applied: bool
) -> None:
    province.load(sqlite_database, NOW)
    way = Way(DirectCentre(sqlite_database, clock))
    (way.after if applied else way.before).extend([error, error])
    ids, courier = fill(spool, 3), Courier(spool=spool, centre=way)
    for _ in range(2):
        with pytest.raises(type(error)):
            courier.deliver()
        assert len(spool.unsent()) == 3
    assert courier.deliver() == 3
    assert spool.unsent() == []
    with sqlite_database.read() as session:
        assert sorted(one.sighting for one in session.exec(select(Finding))) == sorted(ids)


def test_killed_between_answer_and_note_it_delivers_again_to_no_effect(
    tmp_path: Path, sqlite_database: Database, clock: ManualClock
) -> None:
    province.load(sqlite_database, NOW)
    centre = DirectCentre(sqlite_database, clock)
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        fill(spool, 2)
        # The centre has them; the process ended before it could note so.
        centre.report([one for _number, one in spool.unsent()])
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        assert Courier(spool=spool, centre=centre).deliver() == 2
        assert spool.unsent() == []
    with sqlite_database.read() as session:
        assert len(session.exec(select(Finding)).all()) == 2


def test_what_cannot_be_read_is_set_aside_alone_and_told(spool: Spool) -> None:
    ids, way = fill(spool, 5), Way()
    way.unreadable = {ids[1], ids[3]}
    courier = Courier(spool=spool, centre=way)
    assert courier.deliver() == 5
    assert [one for report in way.reports for one in report] == [ids[0], ids[2], ids[4]]
    assert spool.counters() == {"sighting-refused": 2}
    # The centre learns that it was not told something.
    windows = [one for _number, one in spool.unsent()]
    assert [one.cause for one in windows if isinstance(one, Blind)] == ["sighting-refused"] * 2
    assert courier.deliver() == 2
    with closing(spool._db.execute("SELECT id, reason FROM refused ORDER BY id")) as rows:
        assert [row[0] for row in rows.fetchall()] == [ids[1], ids[3]]


def test_a_window_that_cannot_be_read_leads_to_no_further_one(spool: Spool) -> None:
    way = Way()
    way.unreadable = {"sensor-1:x"}
    with spool.transaction():
        spool.send(Blind(id="sensor-1:x", sensor="sensor-1", at=NOW, cause="x"))
    assert Courier(spool=spool, centre=way).deliver() == 1
    assert spool.unsent() == []


def test_a_centre_that_goes_away_in_the_middle_of_one_by_one_loses_nothing(spool: Spool) -> None:
    ids, way = fill(spool, 3), Way()
    way.unreadable = {ids[0]}
    # The batch, then the first alone, are refused as unreadable; at the second the centre is away.
    way.before = [None, None, Unavailable("away")]
    courier = Courier(spool=spool, centre=way)
    with pytest.raises(Unavailable):
        courier.deliver()
    assert [one.id for _number, one in spool.unsent()][:2] == ids[1:]
    assert courier.deliver() == 3
    assert spool.unsent() == []


def test_an_empty_report_says_that_the_sensor_is_there(spool: Spool) -> None:
    way, seconds = Way(), [100.0]
    courier = Courier(spool=spool, centre=way, heartbeat=10, elapsed=lambda: seconds[0])
    for moment in (0.0, 5.0, 9.9, 10.0, 12.0, 20.0):
        seconds[0] = 100 + moment
        assert courier.deliver() == 0
    assert way.reports == [[], [], []]


def test_an_unreadable_empty_report_is_an_error_and_no_endless_loop(spool: Spool) -> None:
    way = Way()
    way.before = [Malformed("what is this?")]
    with pytest.raises(Malformed):
        Courier(spool=spool, centre=way).deliver()
