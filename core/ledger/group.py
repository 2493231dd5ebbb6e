"""Group commit: many writers, one transaction, one wait for the disk.

Whoever comes first leads: takes everybody who waits into one write transaction, commits it, and tells each; the first
who came meanwhile leads next. So a single writer waits for nobody, and no thread stands between.

INVARIANT: nobody is answered before the commit that holds their record has returned.
INVARIANT: at most one thread leads; it alone takes from the queue, and its own work is the first in it.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, cast

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlmodel import Session

from core.database import Database, within
from core.errors import TrustError, Unavailable
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.errors import QueueFull
from core.ledger.evidence import Prepared

Answer = TypeVar("Answer")

#: Most that may wait, and most that is taken into one transaction.
CAPACITY, LARGEST = 4_096, 512

#: Longest that a leader waits for others, in seconds, and only while fewer are there than were the last time.
GATHERING = 0.001


@dataclass(eq=False, slots=True)
class _Waiting:
    """Somebody who waits: with records alone, or with a unit of work that makes its own."""

    records: Sequence[Prepared] = ()
    unit: Callable[[Session], object] | None = None
    answer: object = None
    refusal: BaseException | None = None
    settled: bool = False
    #: Held until it is settled, or until it is its turn to lead.
    turn: threading.Lock = field(default_factory=threading.Lock)


class GroupCommit:
    """The way into the evidence for many writers of one process."""

    def __init__(self, database: Database, *, capacity: int = CAPACITY) -> None:
        """Write into ``database``; refuse whoever comes while ``capacity`` others wait."""
        self._database = database
        self._capacity = capacity
        self._mutex = threading.Lock()
        self._queue: list[_Waiting] = []
        self._led = False
        self._last = 1
        self._expected = 0
        self._enough = threading.Event()

    def append(self, event: Event, *, at: datetime) -> str:
        """Record ``event`` and return its identifier: it is committed. Raises as ``append_all`` does."""
        return self.append_all([event], at=at)[0]

    def append_all(self, events: Sequence[Event], *, at: datetime) -> list[str]:
        """Record ``events``, all or none, and return their identifiers: they are committed.

        Raises ``Malformed``, ``QueueFull``, and ``Unavailable`` when nobody can say that they are stored.
        """
        records = [evidence.prepare(event, at=at) for event in events]
        self.store(records)
        return [record.identifier for record in records]

    def store(self, records: Sequence[Prepared]) -> None:
        """Store prepared records, all or none: they are committed. Raises ``QueueFull`` and ``Unavailable``."""
        self._settle(_Waiting(records))

    def run(self, unit: Callable[[Session], Answer]) -> Answer:
        """Run ``unit`` in a write transaction and return its answer: what it did is committed.

        It must not commit, and may be one of several in one transaction; what it raises undoes it alone. Raises what
        it raises, ``QueueFull``, and ``Unavailable`` when nobody can say that its work is stored.
        """
        if not self._database.is_sqlite:
            # PostgreSQL gathers commits by itself, and what one unit has locked must not wait for the others' turn.
            with self._database.write() as session:
                return unit(session)
        waiting = _Waiting(unit=unit)
        self._settle(waiting)
        return cast("Answer", waiting.answer)

    def _settle(self, waiting: _Waiting) -> None:
        """Wait until it is committed or refused; raise why it was refused."""
        waiting.turn.acquire()
        if not self._enter(waiting):
            waiting.turn.acquire()
        if not waiting.settled:
            self._lead()
        if waiting.refusal is not None:
            raise waiting.refusal

    def _enter(self, waiting: _Waiting) -> bool:
        """Queue up; say whether nobody leads, so that it must be us."""
        with self._mutex:
            if len(self._queue) >= self._capacity:
                raise QueueFull(
                    f"{self._capacity} records wait to be stored already",
                    hint="nothing was recorded and nothing was done; try again, and see `guosuo doctor`",
                )
            self._queue.append(waiting)
            if self._expected and len(self._queue) >= self._expected:
                self._enough.set()
            leads, self._led = not self._led, True
        return leads

    def _lead(self) -> None:
        """Commit everybody who waits, ourselves first, and hand over to the first who came meanwhile."""
        self._gather()
        with self._mutex:
            group, self._queue = self._queue[:LARGEST], self._queue[LARGEST:]
        try:
            self._store(group)
        except BaseException as error:  # noqa: BLE001
            # Not stored, or stored and not said so: either way nobody is told that it was.
            _refuse(group, error)
        finally:
            self._hand_over(group)

    def _gather(self) -> None:
        """Wait a moment for those who were here the last time and have just been answered."""
        with self._mutex:
            if len(self._queue) >= self._last:
                return
            self._expected = self._last
            self._enough.clear()
        self._enough.wait(GATHERING)

    def _hand_over(self, group: list[_Waiting]) -> None:
        for one in group:
            one.settled = True
            one.turn.release()
        with self._mutex:
            self._expected = 0
            # At once more, slowly fewer: who stays away is waited for only a few times.
            self._last = max(len(group), (self._last + len(group)) // 2)
            if self._queue:
                self._queue[0].turn.release()
            else:
                self._led = False

    def _store(self, group: list[_Waiting]) -> None:
        """Store the work of ``group`` in one transaction. Raises what the store raises: then nothing counts."""
        units = [one for one in group if one.unit is not None]
        records = [record for one in group for record in one.records]
        if not units:
            self._database.insert(evidence.TABLE, [record.columns for record in records])
        else:
            with self._database.write() as session:
                for one in units:
                    _run(session, one, alone=len(group) == 1)
                if records:
                    evidence.insert_all(session, records)
        # A crash here leaves committed records that nobody was told of: who asks again is recorded again.


def _run(session: Session, waiting: _Waiting, *, alone: bool) -> None:
    assert waiting.unit is not None
    if alone:
        # What it raises undoes the transaction, in which there is nothing else.
        waiting.answer = waiting.unit(session)
        return
    try:
        with within(session) as part:
            waiting.answer = waiting.unit(part)
    except SQLAlchemyError as error:
        # A store that failed may have given up the whole transaction: only what it says of the values is the unit's.
        if not isinstance(error, IntegrityError | DataError):
            raise
        waiting.refusal = error
    except Exception as error:  # noqa: BLE001
        # Not ours to judge: it is raised again where the unit came from.
        waiting.refusal = error


def _refuse(group: list[_Waiting], error: BaseException) -> None:
    """Refuse everybody; each gets an error of their own, for each raises it in another thread."""
    for one in group:
        one.answer = None
        if one.refusal is not None:
            continue
        one.refusal = error if len(group) == 1 else _refusal(error, len(group))


def _refusal(error: BaseException, size: int) -> Unavailable:
    said = error.detail if isinstance(error, TrustError) else "the store did not take them"
    refusal = Unavailable(f"{size} records that came together are not stored: {said}", hint="see `guosuo doctor`")
    refusal.__cause__ = error
    return refusal
