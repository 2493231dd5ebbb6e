"""Background work of the border."""

from datetime import datetime, timedelta

from core.database import Database
from core.jobs import Job
from monitor import coverage


def jobs(database: Database) -> list[Job]:
    """Return this package's jobs."""

    def notice_silence(now: datetime) -> None:
        with database.write() as session:
            coverage.notice_silence(session, now=now)

    return [Job("monitor.sensor.silence", timedelta(seconds=5), notice_silence, lease=timedelta(seconds=20))]
