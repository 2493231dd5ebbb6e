"""The monitor is monitored: from what a sensor's engine says about itself to windows in which it was blind.

A window is told when it begins and amended when it ends. What was seen last is kept in the spool, so that a sensor that
was killed tells at its next start from when it had not seen.
"""

from datetime import datetime

from core.clock import from_rfc3339, to_rfc3339
from monitor.sighting import LARGEST, Blind
from monitor.spool import Spool

#: Share of packets that may be dropped before the time in which it happened counts as unmonitored.
TOLERATED_DROPS = 0.01

_SEEN, _OPEN = "seen-until", "blind-open"


class Watch:
    """Keeps the windows of the sensor ``name`` in ``spool``; calls must not run side by side."""

    def __init__(self, *, name: str, spool: Spool) -> None:
        """Go on from what the spool knows."""
        self._name = name
        self._spool = spool
        self._packets = self._dropped = 0

    def started(self, *, now: datetime) -> None:
        """Note that the engine captures from now on; ends the open window, or tells of the one since last seen."""
        self._packets = self._dropped = 0
        with self._spool.transaction():
            if not self._end_window(now):
                seen = self._spool.note(_SEEN)
                if seen:
                    self._spool.send(self._window(from_rfc3339(seen), "sensor-stopped", until=now))
            self._spool.set_note(_SEEN, to_rfc3339(now))

    def seeing(self, packets: int, dropped: int, *, now: datetime) -> None:
        """Note counters since the engine's start; a share of drops above the tolerated one is a blind window."""
        new_packets, new_dropped = packets - self._packets, dropped - self._dropped
        self._packets, self._dropped = packets, dropped
        with self._spool.transaction():
            seen = self._spool.note(_SEEN)
            if seen and new_dropped > max(new_packets, 1) * TOLERATED_DROPS:
                self._spool.send(self._window(from_rfc3339(seen), "drops", until=now, dropped=new_dropped))
            self._end_window(now)
            self._spool.set_note(_SEEN, to_rfc3339(now))

    def blind(self, cause: str, *, now: datetime) -> bool:
        """Open a window from when the engine was last heard, unless one is open; say whether one was opened."""
        with self._spool.transaction():
            if self._spool.note(_OPEN):
                return False
            seen = self._spool.note(_SEEN)
            window = self._window(from_rfc3339(seen) if seen else now, cause)
            self._spool.send(window)
            self._spool.set_note(_OPEN, window.model_dump_json())
        return True

    def _end_window(self, now: datetime) -> bool:
        stored = self._spool.note(_OPEN)
        if not stored:
            return False
        window = Blind.model_validate_json(stored)
        self._spool.send(window.model_copy(update={"until": now, "revision": window.revision + 1}))
        self._spool.set_note(_OPEN, "")
        return True

    def _window(self, begin: datetime, cause: str, *, until: datetime | None = None, dropped: int = 0) -> Blind:
        return Blind(
            id=f"{self._name}:blind:{to_rfc3339(begin).replace(':', '')}:{cause}",
            sensor=self._name,
            at=begin,
            until=until,
            cause=cause,
            dropped=min(dropped, LARGEST),
        )
