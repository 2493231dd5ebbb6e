"""Background work: jobs with a lease; two workers never run the same one at once, a crashed one is taken over."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath

from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, select

from core.clock import Clock
from core.database import Database, UtcDateTime
from core.errors import TrustError


class JobLease(SQLModel, table=True):
    """Who runs a job until when; ``fence`` grows with every lease, so that an outdated holder can be told."""

    __tablename__ = "job_lease"

    name: str = Field(primary_key=True, max_length=80)
    owner: str = Field(default="", max_length=120)
    fence: int = 0
    expires: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_started: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_finished: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` is called every ``every``; it must be done within ``lease`` and opens its own transactions.

    ``wanted`` says, by reading only, whether there is anything to do: what is looked at several times a second takes no
    lease for nothing.
    """

    name: str
    every: timedelta
    run: Callable[[datetime], None]
    lease: timedelta = timedelta(minutes=2)
    wanted: Callable[[], bool] = lambda: True


def run_due(database: Database, jobs: Sequence[Job], clock: Clock, owner: str) -> list[str]:
    """Run each job that is due and free; return what to tell of each that failed (also recorded with its lease).

    That is one line; for an error that no job should raise also its trace.
    """
    failures = []
    for job in jobs:
        fence = _take(database, job, clock.now(), owner)
        if fence is None:
            continue
        # A crash here leaves a lease that expires: the next worker takes the job over.
        error = ""
        try:
            job.run(clock.now())
        except TrustError as failed:
            error = failed.detail
            failures.append(f"{job.name}: {error}")
        except Exception as failed:  # noqa: BLE001  # a defect of one job must not stop the others; it is told as one
            error = _defect(failed)
            failures.append(f"{job.name}: {error}\n{''.join(traceback.format_exception(failed))}")
        _release(database, job, clock.now(), fence, error)
    return failures


def _defect(failed: Exception) -> str:
    """Name an unexpected error by its kind and place only: its text may quote what is personal."""
    innermost = traceback.extract_tb(failed.__traceback__)[-1]
    place = f"{PurePath(innermost.filename).name}:{innermost.lineno}"
    return f"an unexpected error, {type(failed).__name__} at {place}: see the worker's log"


def _take(database: Database, job: Job, now: datetime, owner: str) -> int | None:
    """Take the lease when the job is due and nobody holds it; return its fencing number."""
    with database.read() as session:
        if not _is_due(session.get(JobLease, job.name), job, now):
            return None
    if not job.wanted():
        return None
    try:
        with database.write() as session:
            lease = _locked(session, job.name)
            if not _is_due(lease, job, now):
                return None
            lease = lease or JobLease(name=job.name)
            lease.owner, lease.fence, lease.expires, lease.last_started = owner, lease.fence + 1, now + job.lease, now
            session.add(lease)
            return lease.fence
    except IntegrityError:
        # At its very first time there is no row to lock: another worker took the job at the same moment.
        return None


def _locked(session: Session, name: str) -> JobLease | None:
    return session.exec(select(JobLease).where(JobLease.name == name).with_for_update()).first()


def _is_due(lease: JobLease | None, job: Job, now: datetime) -> bool:
    if lease is None:
        return True
    # What lies further in the future than it can was written before the clock was set back: nobody waits for it.
    if lease.expires is not None and now < lease.expires <= now + job.lease:
        return False
    return lease.last_started is None or not now - job.every < lease.last_started <= now


def _release(database: Database, job: Job, now: datetime, fence: int, error: str) -> None:
    with database.write() as session:
        lease = _locked(session, job.name)
        if lease is None or lease.fence != fence:
            # The lease expired and somebody else took it: theirs is the outcome that counts.
            return
        lease.expires, lease.last_finished, lease.last_error = None, now, error
        session.add(lease)
