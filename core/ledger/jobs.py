"""Background work of the evidence."""

from datetime import datetime, timedelta

from core.database import Database
from core.jobs import Job
from core.ledger import reference
from core.ledger.purge import Purger

#: Batches that one run indexes at most: it ends within its lease also after an upgrade of a long log.
_BATCHES = 50


def jobs(database: Database, purger: Purger) -> list[Job]:
    """Return this package's jobs."""

    def carry_out(_now: datetime) -> None:
        purger.work_off()

    def index(_now: datetime) -> None:
        for _ in range(_BATCHES):
            with database.write() as session:
                if reference.index_next(session) < reference.BATCH:
                    return

    return [
        Job("ledger.purge.carry-out", timedelta(seconds=2), carry_out, lease=timedelta(minutes=10)),
        Job("ledger.reference.index", timedelta(seconds=2), index),
    ]
