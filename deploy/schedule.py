"""When a certificate is renewed, and when it is tried again. Pure: chance comes as a number from 0 to 1."""

from datetime import datetime, timedelta

#: Renewed when so much of its life is over, at the latest a twentieth later: many machines do not come at once.
_PART, _JITTER = 2 / 3, 1 / 20

#: Between two tries: a minute, doubled with every failure, six hours at most.
_FIRST, _LONGEST = timedelta(minutes=1), timedelta(hours=6)


def due(span: tuple[datetime, datetime], chance: float) -> datetime:
    """Return when a certificate that begins and ends so is renewed."""
    begin, end = span
    life = end - begin
    return begin + life * _PART + life * _JITTER * chance


def pause(failures: int, left: timedelta, chance: float) -> timedelta:
    """Return how long to wait after so many failures (from 1), with half of it by chance.

    ``left`` is the life that is left: it is never waited for longer than a tenth of it, nor less than some seconds.
    """
    whole = min(_FIRST * (1 << min(failures - 1, 20)), _LONGEST)
    bounded = min(whole / 2 + whole / 2 * chance, left / 10)
    return max(bounded, timedelta(seconds=5))
