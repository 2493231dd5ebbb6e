"""Background work of acts of two people: what waited too long ends."""

from datetime import datetime, timedelta

from core.approval import decision, routing
from core.approval.acts import Acts
from core.database import Database
from core.jobs import Job


def jobs(database: Database, acts: Acts) -> list[Job]:
    """Return the jobs of this package."""

    def expire(now: datetime) -> None:
        with database.write() as session:
            decision.expire(session, now)
        # A crash here leaves proposals that are expired and noted as such: nothing is left to do.

    def tell(now: datetime) -> None:
        with database.write() as session:
            routing.tell(session, acts, now)

    return [
        Job("approval.proposal.expire", timedelta(minutes=1), expire),
        Job("approval.proposal.tell", timedelta(seconds=10), tell),
    ]
