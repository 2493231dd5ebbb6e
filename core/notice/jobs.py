"""Background work of notices: compose what is due, send what waits."""

from datetime import datetime, timedelta

from core.jobs import Job
from core.notice.outbox import Outbox


def jobs(outbox: Outbox) -> list[Job]:
    """Return the jobs of this package."""

    def compose(_now: datetime) -> None:
        outbox.compose()

    def send(_now: datetime) -> None:
        outbox.send()

    return [
        Job("notice.digest.compose", timedelta(seconds=10), compose),
        Job("notice.outbox.send", timedelta(seconds=5), send, lease=timedelta(minutes=15)),
    ]
