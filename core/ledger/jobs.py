"""Background work of the evidence: purges carried out; our log witnessed and time-stamped by others."""

from datetime import datetime, timedelta

from core.database import Database
from core.jobs import Job
from core.ledger import reference
from core.ledger.purge import Purger
from core.ledger.timestamping import Timestamping
from core.ledger.witnessing import Witnessing

#: Names of the jobs that ask others; what they failed with last stands with their lease.
WITNESS, TIMESTAMP = "ledger.witness.submit", "ledger.timestamp.obtain"

#: It looks this often whether a token is due: a failed authority is asked again soon, not an hour later.
STAMPED_EVERY = timedelta(seconds=30)

#: Batches that one run indexes at most: it ends within its lease also after an upgrade of a long log.
_BATCHES = 50


def jobs(database: Database, purger: Purger) -> list[Job]:
    """Return this package's jobs that every site has."""

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


def witness_job(witnessing: Witnessing, *, every: timedelta) -> Job:
    """Return the job that has our checkpoints witnessed."""

    def witness(_now: datetime) -> None:
        witnessing.run()

    return Job(WITNESS, every, witness, lease=timedelta(minutes=5))


def timestamp_job(stamping: Timestamping) -> Job:
    """Return the job that has our checkpoints time-stamped."""

    def stamp(_now: datetime) -> None:
        stamping.run()

    return Job(TIMESTAMP, STAMPED_EVERY, stamp, lease=timedelta(minutes=5))
