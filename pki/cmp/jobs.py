"""Background work of CMP: certificates that nobody confirmed, old transactions, and our own certificate."""

from collections.abc import Callable
from datetime import datetime, timedelta

from core.database import Database
from core.jobs import Job
from pki.cmp import transaction


def jobs(database: Database) -> list[Job]:
    """Return what is done on the store alone."""

    def expire(now: datetime) -> None:
        with database.write() as session:
            transaction.expire(session, now)
        # A crash here leaves certificates that are revoked and not yet listed: the job that publishes lists does so.

    return [Job("pki.cmp.tidy", timedelta(minutes=1), expire)]


def renewal(renew: Callable[[], bool]) -> list[Job]:
    """Return the job that gives the server its certificate, before the present one ends."""

    def run(_now: datetime) -> None:
        renew()

    return [Job("pki.cmp.renew", timedelta(hours=1), run)]
