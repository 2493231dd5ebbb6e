"""Background work of the evidence: have it witnessed and time-stamped by others."""

from datetime import datetime, timedelta

from core.jobs import Job
from core.ledger.timestamping import Timestamping
from core.ledger.witnessing import Witnessing

#: Names of the jobs; what they failed with last stands with their lease.
WITNESS, TIMESTAMP = "ledger.witness.submit", "ledger.timestamp.obtain"


def jobs(witnessing: Witnessing | None, stamping: Timestamping | None, *, every: timedelta) -> list[Job]:
    """Return this package's jobs: none of what is not configured. ``every`` is how often witnesses are asked."""

    def witness(_now: datetime) -> None:
        if witnessing is not None:
            witnessing.run()

    def stamp(_now: datetime) -> None:
        if stamping is not None:
            stamping.run()

    made = []
    if witnessing is not None:
        made.append(Job(WITNESS, every, witness, lease=timedelta(minutes=5)))
    if stamping is not None:
        # It looks this often whether a token is due: a failed authority is asked again soon, not an hour later.
        made.append(Job(TIMESTAMP, timedelta(seconds=30), stamp, lease=timedelta(minutes=5)))
    return made
