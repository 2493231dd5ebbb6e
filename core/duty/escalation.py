"""By when a duty must be settled, whom it goes to when it is not, and how near an end is. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

#: Days before an end at which it is told, the nearest last.
STAGES = (30, 7, 1)


def target(post: str, chain: Sequence[str]) -> str:
    """Return whom a duty of ``post`` escalates to: the first of ``chain`` that is somebody else, or nobody (empty)."""
    return next((other for other in chain if other and other != post), "")


def is_overdue(due: datetime | None, now: datetime) -> bool:
    """Whether a deadline has passed; what has none never is."""
    return due is not None and due < now


def stage(end: datetime, now: datetime) -> int | None:
    """Return the stage that ``end`` has reached (days, one of ``STAGES``), or nothing while it is far or past."""
    if end < now:
        return None
    reached = [days for days in STAGES if end - now <= timedelta(days=days)]
    return min(reached, default=None)


def deadline(end: datetime, reached: int) -> datetime:
    """Return by when something must be done about an end that has reached a stage: before the next stage."""
    nearer = [days for days in STAGES if days < reached]
    return end - timedelta(days=max(nearer)) if nearer else end
