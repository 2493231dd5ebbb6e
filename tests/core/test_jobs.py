"""Jobs: each runs once at a time, a crashed worker is taken over, and an outdated one changes nothing."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from core.database import Database
from core.errors import Unavailable
from core.jobs import Job, JobLease, run_due
from tests.clock import ManualClock

MINUTE = timedelta(minutes=1)


class PowerCut(BaseException):
    """The end of a process in the middle of its work."""


def lease_of(database: Database, name: str = "sweep") -> JobLease:
    with database.read() as session:
        return session.get_one(JobLease, name)


def job(run: Callable[[datetime], None], name: str = "sweep") -> Job:
    return Job(name, MINUTE, run)


def test_a_job_runs_when_it_is_due_and_not_before(database: Database, clock: ManualClock) -> None:
    ran: list[datetime] = []
    for _ in range(3):
        assert run_due(database, [job(ran.append)], clock, "one") == []
        clock.advance(seconds=20)
    assert len(ran) == 1
    run_due(database, [job(ran.append)], clock, "two")
    assert ran == [ran[0], ran[0] + MINUTE]
    lease = lease_of(database)
    assert (lease.owner, lease.fence, lease.expires, lease.last_error) == ("two", 2, None, "")
    assert (lease.last_started, lease.last_finished) == (clock.now(), clock.now())


def test_a_failure_is_told_recorded_and_tried_again_when_due(database: Database, clock: ManualClock) -> None:
    def fail(_now: datetime) -> None:
        raise Unavailable("the signer does not answer")

    ran: list[datetime] = []
    told = run_due(database, [job(fail), job(ran.append, "other")], clock, "one")
    assert told == ["sweep: the signer does not answer"]
    assert len(ran) == 1
    assert lease_of(database).last_error == "the signer does not answer"
    assert run_due(database, [job(fail)], clock, "one") == []
    clock.advance(minutes=1)
    assert run_due(database, [job(ran.append)], clock, "one") == []
    assert lease_of(database).last_error == ""


def test_a_defect_of_one_job_stops_no_other_and_is_told_as_one(database: Database, clock: ManualClock) -> None:
    def defect(_now: datetime) -> None:
        raise KeyError("chen@fin.beichen.example")

    ran: list[datetime] = []
    (told,) = run_due(database, [job(defect), job(ran.append, "other")], clock, "one")
    assert len(ran) == 1
    lease = lease_of(database)
    assert lease.last_error.startswith("an unexpected error, KeyError at test_jobs.py:")
    assert "chen@" not in lease.last_error, "the text of an unexpected error may be personal"
    assert told.startswith(f"sweep: {lease.last_error}\nTraceback (most recent call last):")
    assert "in defect" in told
    assert (lease.expires, lease.last_finished) == (None, clock.now())
    clock.advance(minutes=1)
    assert run_due(database, [job(ran.append)], clock, "one") == []
    assert lease_of(database).last_error == ""


def test_a_crashed_worker_is_taken_over_when_its_lease_ends(database: Database, clock: ManualClock) -> None:
    def crash(_now: datetime) -> None:
        raise PowerCut

    ran: list[datetime] = []
    with pytest.raises(PowerCut):
        run_due(database, [job(crash)], clock, "one")
    clock.advance(seconds=119)
    run_due(database, [job(ran.append)], clock, "two")
    assert ran == []
    clock.advance(seconds=1)
    run_due(database, [job(ran.append)], clock, "two")
    assert ran == [clock.now()]
    assert (lease_of(database).owner, lease_of(database).fence) == ("two", 2)


def test_who_took_too_long_does_not_end_the_lease_of_the_next(database: Database, clock: ManualClock) -> None:
    def slow(_now: datetime) -> None:
        clock.advance(minutes=5)
        run_due(database, [job(quick)], clock, "two")

    def quick(_now: datetime) -> None:
        lease = lease_of(database)
        assert (lease.owner, lease.fence) == ("two", 2)

    run_due(database, [job(slow)], clock, "one")
    finished = lease_of(database)
    assert (finished.owner, finished.fence) == ("two", 2)
    assert finished.last_finished == clock.now()


def test_a_late_outcome_does_not_overwrite_a_running_lease(database: Database, clock: ManualClock) -> None:
    def slow(_now: datetime) -> None:
        clock.advance(minutes=5)
        with pytest.raises(PowerCut):
            run_due(database, [job(crash)], clock, "two")
        raise Unavailable("too late")

    def crash(_now: datetime) -> None:
        raise PowerCut

    run_due(database, [job(slow)], clock, "one")
    lease = lease_of(database)
    assert (lease.owner, lease.fence, lease.last_error) == ("two", 2, "")
    assert lease.expires == clock.now() + timedelta(minutes=2)


def test_many_workers_run_a_job_once(database: Database, clock: ManualClock) -> None:
    with database.write() as session:
        session.add(JobLease(name="sweep"))
    ran, lock = list[str](), threading.Lock()
    ready = threading.Barrier(6)

    def work(owner: str) -> None:
        def run(_now: datetime) -> None:
            with lock:
                ran.append(owner)

        ready.wait()
        run_due(database, [job(run)], clock, owner)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ran) == 1
    assert lease_of(database).fence == 1


def test_a_job_that_another_takes_for_the_first_time_at_this_moment(database: Database, clock: ManualClock) -> None:
    """Nobody sees the other's row before it is committed; there is none to lock."""
    ran: list[datetime] = []
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.extend(run_due(database, [job(ran.append)], clock, "two")))
    with database.write() as session:
        session.add(JobLease(name="sweep", owner="one", fence=1, expires=clock.now() + MINUTE))
        session.flush()
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it did not wait for the other"
    thread.join()
    assert (ran, told, lease_of(database).owner) == ([], [], "one")


def test_many_workers_at_the_very_first_time(database: Database, clock: ManualClock) -> None:
    """Nobody has a row to lock yet: one wins, the others go on without an error."""
    ran, raised = list[str](), list[Exception]()
    ready = threading.Barrier(6)

    def work(owner: str) -> None:
        ready.wait()
        try:
            run_due(database, [job(lambda _now: ran.append(owner))], clock, owner)
        except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
            raised.append(error)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    assert len(ran) == 1
    with database.read() as session:
        assert len(session.exec(select(JobLease)).all()) == 1


def test_a_clock_set_back_makes_no_job_wait(database: Database, clock: ManualClock) -> None:
    ran: list[datetime] = []
    run_due(database, [job(ran.append)], clock, "one")
    clock.advance(hours=-3)
    run_due(database, [job(ran.append)], clock, "one")
    assert ran == [ran[0], ran[0] - timedelta(hours=3)]
    # From there on it runs when it is due, as always.
    clock.advance(seconds=20)
    run_due(database, [job(ran.append)], clock, "one")
    assert len(ran) == 2


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(database: Database, clock: ManualClock) -> None:
    def crash(_now: datetime) -> None:
        raise PowerCut

    ran: list[datetime] = []
    with pytest.raises(PowerCut):
        run_due(database, [job(crash)], clock, "one")
    clock.advance(hours=-3)
    run_due(database, [job(ran.append)], clock, "two")
    assert len(ran) == 1
    assert lease_of(database).fence == 2
