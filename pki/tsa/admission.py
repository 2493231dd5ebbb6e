"""How many tokens are given over the network in a while: to one address, and to all of them together."""

from datetime import timedelta

from core.clock import Clock
from core.pace import Pace

_MINUTE = timedelta(minutes=1)


class Admission:
    """Every token costs two records for ever: nobody may have as many as they like. Safe for many threads."""

    def __init__(self, *, clock: Clock, per_minute: int) -> None:
        """Admit ``per_minute`` requests, a fifth of them from one address."""
        self._each = Pace(clock=clock, most=per_minute // 5, within=_MINUTE)
        self._all = Pace(clock=clock, most=per_minute, within=_MINUTE)

    def admits(self, address: str) -> bool:
        """Say whether a request from ``address`` is answered now. One that is not takes nothing from the others."""
        return self._each.admits(address) and self._all.admits("")
