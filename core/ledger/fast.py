"""Fast mode: a decision is answered when its record waits, not when it is stored. Only where a domain was told so.

What a sudden end can lose is bounded: a record waits 50 ms at most, and while one waits longer, or the queue is full,
nothing more is taken in, so that nothing more is decided. An orderly end stores everything first.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from core.database import Database
from core.errors import Unavailable
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.errors import QueueFull
from core.ledger.evidence import Prepared
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow

#: Seconds that a record may wait, and that the writer lets records gather.
WINDOW, GATHERING = 0.05, 0.01

#: Most records that wait, and most that are stored at once.
CAPACITY, LARGEST = 2_048, 256


class FastQueue:
    """Records that were answered for and are about to be stored, by a thread of its own."""

    def __init__(
        self, *, database: Database, group: GroupCommit, capacity: int = CAPACITY, window: float = WINDOW
    ) -> None:
        """Store through ``group``, each record within ``window`` seconds; the thread begins with the first record."""
        self._database = database
        self._group = group
        self._capacity = capacity
        self._window = window
        self._changed = threading.Condition()
        #: Each with the moment by which it must be stored; what is being stored is still among them.
        self._waiting: list[tuple[float, Prepared]] = []
        self._ended = False
        self._thread: threading.Thread | None = None

    def put(self, event: Event, *, at: datetime) -> str:
        """Take the record of ``event`` in and return its identifier; it is not stored yet.

        Raises ``Malformed``, and ``QueueFull`` when the queue is full, behind, or ended: then nothing was recorded.
        """
        record = evidence.prepare(event, at=at)
        with self._changed:
            now = time.monotonic()
            behind = bool(self._waiting) and self._waiting[0][0] < now
            if self._ended or behind or len(self._waiting) >= self._capacity:
                raise QueueFull(
                    f"{len(self._waiting)} decisions wait to be stored already, or are late",
                    hint="nothing was recorded and nothing was decided; see `guosuo doctor`",
                )
            self._waiting.append((now + self._window, record))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="fast-evidence", daemon=True)
                self._thread.start()
            self._changed.notify()
        return record.identifier

    def close(self) -> None:
        """Store everything and take in nothing more. Raises ``Unavailable`` when it cannot be stored."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(10)
        if self._waiting:
            raise Unavailable(f"{len(self._waiting)} decisions that were answered could not be recorded")

    def _work(self) -> None:
        failures = 0
        while failures < 3:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
            time.sleep(0 if self._ended else GATHERING)
            with self._changed:
                batch = [record for _, record in self._waiting[:LARGEST]]
            try:
                self._group.store(batch)
                stored = {record.identifier for record in batch}
                failures = 0
            except (Unavailable, SQLAlchemyError):
                # Not stored, or stored and not said so: what is there is not stored twice, the rest is tried again.
                stored = self._found(batch)
                failures += self._ended
            with self._changed:
                self._waiting = [one for one in self._waiting if one[1].identifier not in stored]

    def _found(self, batch: list[Prepared]) -> set[str]:
        wanted = [record.identifier for record in batch]
        try:
            with self._database.read() as session:
                known = select(EvidenceRow.identifier).where(col(EvidenceRow.identifier).in_(wanted))
                return set(session.exec(known))
        except (Unavailable, SQLAlchemyError):
            return set()


@dataclass(frozen=True, slots=True)
class FastMode:
    """The security domains that a site answers fast, and the queue that its records wait in."""

    queue: FastQueue
    domains: frozenset[str]
