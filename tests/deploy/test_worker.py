"""The worker: groups of jobs that hold each other up in nothing, and end together."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.database import Database
from core.errors import Unavailable
from core.jobs import Job, JobLease
from core.ledger import jobs
from deploy import standing, wiring, worker
from deploy.settings import TimestampSection, WitnessSection
from tests.deploy.test_settings import sample

#: Longer than any of this takes; a test that fails ends all the same.
PATIENCE = 20.0


def job(name: str, run: Callable[[datetime], None]) -> Job:
    return Job(name, timedelta(0), run)


def test_what_waits_for_others_holds_nobody_up(database: Database) -> None:
    stop, twice = threading.Event(), threading.Event()
    ran: list[datetime] = []

    def wait(_now: datetime) -> None:
        assert twice.wait(PATIENCE), "nothing else ran meanwhile"
        stop.set()

    def count(now: datetime) -> None:
        ran.append(now)
        if len(ran) == 2:
            twice.set()

    worker.work(database, ([job("inward", count)], [job("outward", wait)]), stop)
    assert len(ran) >= 2
    with database.read() as session:
        assert session.get_one(JobLease, "outward").last_error == ""


def test_a_defect_ends_no_group_and_is_told(database: Database, capfd: pytest.CaptureFixture[str]) -> None:
    stop, tries = threading.Event(), list[datetime]()

    def defect(now: datetime) -> None:
        tries.append(now)
        if len(tries) == 3:
            stop.set()
        raise ValueError("a defect")

    worker.work(database, ([job("inward", defect)], []), stop)
    assert len(tries) == 3
    told = capfd.readouterr().err
    assert told.count("inward: an unexpected error, ValueError at test_worker.py:") == 3
    assert "Traceback" in told


def test_a_store_that_is_gone_ends_the_whole_worker(database: Database) -> None:
    class Gone(BaseException):
        """Not a failure of a job: whatever ends a thread."""

    def end(_now: datetime) -> None:
        raise Gone

    stop = threading.Event()
    with pytest.raises(Gone):
        worker.work(database, ([job("inward", lambda _now: None)], [job("outward", end)]), stop)
    assert stop.is_set()
    absent = Database("sqlite:////nowhere/at/all.sqlite3")
    with pytest.raises(Unavailable):
        worker.work(absent, ([], [job("outward", end)]), threading.Event())
    absent.close()


def test_what_the_doctor_asks_of_is_what_the_worker_runs(database: Database, tmp_path: Path) -> None:
    asking = {"witness": WitnessSection(policy=Path("w"), every_seconds=7), "timestamp": TimestampSection(urls=("u",))}
    # Our own authority stamps where no other is asked.
    assert jobs.TIMESTAMP in wiring.periods(sample(tmp_path), database)
    settings = sample(tmp_path)
    # The first group runs when lists are wanted, however long that takes: what is late there is told by the lists.
    running = [job for group in wiring.jobs(settings, database)[1:] for job in group]
    assert {job.name: job.every for job in running} == wiring.periods(settings, database)
    # One that waits for the longest of the others is not late.
    assert max(job.lease for job in running) <= standing.WAITS
    more = wiring.periods(settings.model_copy(update=asking), database)
    assert set(more) - {job.name for job in running} == {jobs.WITNESS}
    assert more[jobs.WITNESS] == timedelta(seconds=7)
