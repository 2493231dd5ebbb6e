"""Background work of the evidence."""

from datetime import datetime, timedelta

from core.jobs import Job
from core.ledger.purge import Purger


def jobs(purger: Purger) -> list[Job]:
    """Return this package's jobs."""

    def carry_out(_now: datetime) -> None:
        purger.work_off()

    return [Job("ledger.purge.carry-out", timedelta(seconds=2), carry_out, lease=timedelta(minutes=10))]
