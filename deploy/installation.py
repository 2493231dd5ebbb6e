"""What is done on the machine itself, by nobody who is logged in: started, upgraded. Recorded as ``installation``.

Whoever is root can start and upgrade the service; it grants nothing else, and it does not go unseen.
"""

import importlib.metadata

from core.clock import Clock
from core.database import Database
from core.ledger import evidence
from core.ledger.entry import Event
from deploy import schema

#: Who acts when nobody is logged in.
ACTOR = "installation"

_OBJECT = "installation:site"


def upgrade(database: Database, clock: Clock) -> bool:
    """Bring the store to the newest revision and record that; say whether there was anything to do."""
    before = schema.revision(database)
    schema.upgrade(database)
    after = schema.revision(database)
    if before == after:
        return False
    _record(database, clock, "installation.store.upgraded", {"from": before or "", "to": after or ""})
    return True


def started(database: Database, clock: Clock) -> None:
    """Record that the service was started, and its version."""
    version = importlib.metadata.version("guosuo")
    _record(database, clock, "installation.service.started", {"version": version})


def _record(database: Database, clock: Clock, type_: str, details: dict[str, str]) -> None:
    with database.write() as session:
        evidence.append(session, Event(type_, ACTOR, _OBJECT, details=details), at=clock.now())
    # A crash here leaves the record of something that was done, or was just about to begin: it may be done again.
