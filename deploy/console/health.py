"""The red lines that the service itself knows of: jobs, witnesses, lists; as ``guosuo doctor`` tells them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from core.database import Database
from deploy import standing
from deploy.doctor import Finding


@dataclass(frozen=True, slots=True)
class Health:
    """Looks at what runs in the background; ``periods`` and ``witnesses`` are what is configured."""

    database: Database
    clock: Clock
    periods: Mapping[str, timedelta]
    witnesses: Callable[[], Collection[str]]

    def red(self) -> Sequence[Finding]:
        """Return what is not well."""
        asked, unread = standing.witnesses(self.witnesses)
        found = standing.inspect(self.database, self.clock.now(), self.periods, asked)
        return [one for one in (*unread, *found) if not one.ok]
