"""Background work of notices: compose what is due, send what waits."""

from datetime import datetime, timedelta

from core.jobs import Job
from core.notice.outbox import Outbox

#: By when one run of sending has ended, however slow the other sides are.
SENDING = timedelta(minutes=15)


def jobs(outbox: Outbox) -> list[Job]:
    """Return the jobs of this package that wait for nobody."""

    def compose(_now: datetime) -> None:
        outbox.compose()

    return [Job("notice.digest.compose", timedelta(seconds=10), compose)]


def outward(outbox: Outbox) -> list[Job]:
    """Return the job that waits for relays and receivers."""

    def send(_now: datetime) -> None:
        outbox.send()

    return [Job("notice.outbox.send", timedelta(seconds=5), send, lease=SENDING)]
