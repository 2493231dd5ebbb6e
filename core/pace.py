"""So many requests in a while, for each name: what anybody may ask must not keep the process from its work."""

from collections import OrderedDict
from datetime import timedelta
from threading import Lock

from core.clock import Clock

#: Names that are remembered; beyond that the one that was silent longest is forgotten.
_MOST_NAMES = 4_096


class Pace:
    """Lets ``most`` pass at once for each name, and refills that over ``within``. Safe for many threads."""

    def __init__(self, *, clock: Clock, most: int, within: timedelta) -> None:
        """Begin with everybody rested."""
        self._clock = clock
        self._most = most
        self._within = within
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def admits(self, name: str) -> bool:
        """Say whether ``name`` may pass now, and count it when it may."""
        now = self._clock.now().timestamp()
        with self._lock:
            left, since = self._left.pop(name, (float(self._most), now))
            rested = max(0.0, now - since) * self._most / self._within.total_seconds()
            left = min(float(self._most), left + rested)
            self._left[name] = (max(0.0, left - 1) if left >= 1 else left, now)
            if len(self._left) > _MOST_NAMES:
                self._left.popitem(last=False)
            return left >= 1
