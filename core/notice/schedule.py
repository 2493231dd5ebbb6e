"""When a message is tried again, and when it is given up. Pure."""

from datetime import timedelta

#: A sender holds a message for so long before another may try it: longer than a message may take (``channel.WHOLE``).
HOLD = timedelta(minutes=2)

#: By when a way out that failed must be mended.
MENDED = timedelta(days=1)

_FIRST = timedelta(minutes=2)
_LONGEST = timedelta(hours=4)


def pause(attempts: int) -> timedelta:
    """Return how long to wait after the ``attempts``-th failure: two minutes, doubled each time, at most four hours."""
    doubled: int = 2 ** max(0, min(attempts - 1, 20))
    return min(_FIRST * doubled, _LONGEST)


def is_over(attempts: int, most: int, *, for_good: bool) -> bool:
    """Whether a failed message is given up."""
    return for_good or attempts >= most
