"""Purge: records go, their hashes stay. Decided by two people, named in the log, carried out step by step.

1. The record that names the numbers is appended in the transaction of the decision, and must be published first: from
   then on whoever finds a stub finds, later in the same log, who wanted it and why.
2. The rows of the store become stubs; what a legal hold names by then stays. 3. The entry bundles in log and mirror are
written again from the rows. 4. The outcome is recorded. 5. Once that is published the bundles are looked at again,
because a sequencer that began before step 2 may have written an older one meanwhile.

Every step finds what is done already, so whatever ends in the middle is finished by the next run; nothing that is not
named is ever touched. Hash tiles, roots and checkpoints stay as they are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from core.clock import Clock, to_rfc3339
from core.database import Database
from core.ledger import evidence, hold, published, tiles
from core.ledger.entry import Event, JsonValue
from core.ledger.errors import InconsistentLog
from core.ledger.models import PURGE_DECIDED, EvidenceBody, EvidencePurge, EvidenceReference, EvidenceRow
from core.ledger.publication import find_published
from core.ledger.selection import Asked, Rule, Selection, is_held
from core.ledger.storage import DurableWriter, LogFolder, Writer
from core.ledger.stub import RECORDS_PURGED, STUB_TIME, STUB_TYPE, Stub, leaf_of, parse_ranges
from core.ledger.tiles import ENTRIES, WIDTH

PURGE_COMPLETED = "ledger.purge.completed"

#: Most rows replaced in one transaction.
_BATCH = 1_000


class State(StrEnum):
    """How far a purge was carried out: each names the last step that is done."""

    DECIDED = PURGE_DECIDED
    ROWS = "rows"
    RECORDED = "recorded"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TwoPeople:
    """Who proposed a purge and who approved it."""

    proposer: str
    approver: str


def decide(session: Session, asked: Asked, chosen: Selection, by: Rule, people: TwoPeople, *, at: datetime) -> str:
    """Record at ``at`` that ``chosen`` is purged and enter it to be carried out; return the record's id.

    ``chosen`` is not empty, and is what the rule ``by`` lets go in this transaction.
    """
    details: dict[str, JsonValue] = {
        "numbers": [list(pair) for pair in chosen.ranges],
        "count": chosen.count,
        "types": dict(sorted(chosen.types.items())),
        "before": to_rfc3339(asked.before),
        "as_of": to_rfc3339(by.now),
        "of_domain": asked.domain,
        "of_object": asked.object,
        "rule": by.retention.version,
        "basis": [by.retention.minimum_source, by.retention.certificate_source],
        "proposer": people.proposer,
        "approver": people.approver,
    }
    record = evidence.append(session, Event(RECORDS_PURGED, people.approver, "log:records", details=details), at=at)
    enter(session, record, chosen.ranges, at=at)
    return record


def enter(session: Session, record: str, ranges: Sequence[tuple[int, int]], *, at: datetime) -> None:
    """Enter a purge that its record decided, unless it is known; also for a store that was restored."""
    if session.get(EvidencePurge, record) is None:
        numbers = json.dumps([list(pair) for pair in ranges])
        session.add(EvidencePurge(id=record, at=at, numbers=numbers, state=State.DECIDED.value))
        session.flush()


def replace_row(session: Session, row: EvidenceRow, by: str) -> None:
    """Put a stub into the place of a record: nothing of what it said is left in the store, nor its body."""
    stub = Stub(leaf_of(row.content), by)
    session.execute(delete(EvidenceBody).where(col(EvidenceBody.record) == row.identifier))
    session.execute(delete(EvidenceReference).where(col(EvidenceReference.sequence) == row.sequence))
    row.content, row.leaf = stub.content(), stub.leaf.hex()
    row.identifier, row.at, row.type = row.leaf[:32], STUB_TIME, STUB_TYPE
    row.actor = row.object = row.domain = row.result = ""
    session.add(row)
    session.flush()


class Purger:
    """Carries out what was decided; the job ``ledger.purge.carry-out``, so one at a time."""

    def __init__(
        self, *, database: Database, clock: Clock, directory: Path, mirror: Path | None, writer: Writer | None = None
    ) -> None:
        """Work on the log in ``directory`` and its ``mirror``."""
        writer = writer or DurableWriter()
        self._database = database
        self._clock = clock
        self._folders = [directory] if mirror is None else [directory, mirror]
        self._copies = [LogFolder(folder, writer) for folder in self._folders]

    def work_off(self) -> int:
        """Go on with every purge that is not closed; return how many were closed.

        Raises ``InconsistentLog`` when rows and hash tiles contradict each other; ``UnknownTile``, ``BadTile`` and
        ``StorageFailed`` when a tile cannot be read or a bundle not written.
        """
        with self._database.read() as session:
            waiting = select(EvidencePurge.id).where(EvidencePurge.state != State.CLOSED.value)
            identifiers = session.exec(waiting.order_by(col(EvidencePurge.at), col(EvidencePurge.id))).all()
        return sum(self._go_on(identifier) for identifier in identifiers)

    def _go_on(self, identifier: str) -> bool:
        purge, number = self._purge(identifier), self._published(identifier)
        if number is None:
            return False
        ranges = _before(number, parse_ranges(json.loads(purge.numbers)))
        if purge.state == State.DECIDED:
            self._replace_rows(identifier, ranges)
            purge = self._purge(identifier)
        if purge.state == State.ROWS:
            self._rewrite_bundles(ranges)
            # A crash here leaves stubs in store, log and mirror, and no record that it is done: the next run says so.
            self._record_outcome(identifier, ranges)
            # A crash here leaves the outcome recorded and the purge open: the next run looks once more and closes it.
            purge = self._purge(identifier)
        if purge.state != State.RECORDED or self._published(purge.outcome) is None:
            return False
        self._rewrite_bundles(ranges)
        self._set_state(identifier, State.CLOSED)
        return True

    def _purge(self, identifier: str) -> EvidencePurge:
        with self._database.read() as session:
            return session.exec(select(EvidencePurge).where(EvidencePurge.id == identifier)).one()

    def _published(self, identifier: str) -> int | None:
        with self._database.read() as session:
            return find_published(session, identifier)

    def _replace_rows(self, identifier: str, ranges: Sequence[tuple[int, int]]) -> None:
        for first, last in ranges:
            for start in range(first, last + 1, _BATCH):
                numbers = (start, min(start + _BATCH - 1, last))
                with self._database.write() as session:
                    # Locked: whoever places a hold waits for these rows, and those that follow see it (``hold.place``).
                    session.get_one(EvidencePurge, identifier, with_for_update=True)
                    holds = hold.active(session, self._clock.now())
                    within = select(EvidenceRow).where(col(EvidenceRow.sequence).between(*numbers))
                    for row in session.exec(within.where(col(EvidenceRow.leaf).is_(None))).all():
                        if not is_held(row, holds):
                            replace_row(session, row, identifier)
                # A crash here leaves some rows replaced, all of them named by a published record: the next run goes on.
        self._set_state(identifier, State.ROWS)

    def _rewrite_bundles(self, ranges: Sequence[tuple[int, int]]) -> None:
        indexes = {index for first, last in ranges for index in range(first // WIDTH, last // WIDTH + 1)}
        for index in sorted(indexes):
            content = self._bundle(index)
            path = tiles.tile_path(ENTRIES, index)
            for copy in self._copies:
                copy.add({path: content})
                copy.write_tiles()
                # A crash here leaves bundles with records that the store has no more: the next run writes them, too.
                copy.drop_incomplete([path])

    def _bundle(self, index: int) -> bytes:
        """Return a full entry bundle from the rows. Raises ``InconsistentLog`` unless it is that of its hash tile.

        Raises ``UnknownTile``, ``BadTile`` and ``StorageFailed`` when a hash tile cannot be read.
        """
        numbers = (index * WIDTH, index * WIDTH + WIDTH - 1)
        with self._database.read() as session:
            within = select(EvidenceRow.content).where(col(EvidenceRow.sequence).between(*numbers))
            entries = session.exec(within.order_by(col(EvidenceRow.sequence))).all()
        for folder in self._folders:
            if published.hashes(folder, 0, index, WIDTH) != [*map(leaf_of, entries)]:
                raise InconsistentLog(
                    f"records {numbers[0]}-{numbers[1]} in the store are not those of `{folder}`",
                    hint="nothing more was purged; compare the store with the entry bundles of the mirror",
                )
        return tiles.encode_bundle(entries)

    def _record_outcome(self, identifier: str, ranges: Sequence[tuple[int, int]]) -> None:
        with self._database.write() as session:
            count = sum(_stubs(session, *pair) for pair in ranges)
            details: dict[str, JsonValue] = {"purge": identifier, "count": count}
            event = Event(PURGE_COMPLETED, "device:trust", f"record:{identifier}", details=details)
            row = session.get_one(EvidencePurge, identifier)
            row.outcome, row.state = evidence.append(session, event, at=self._clock.now()), State.RECORDED.value
            session.add(row)

    def _set_state(self, identifier: str, state: State) -> None:
        with self._database.write() as session:
            row = session.get_one(EvidencePurge, identifier)
            row.state = state.value
            session.add(row)


def _stubs(session: Session, first: int, last: int) -> int:
    within = select(func.count()).where(col(EvidenceRow.sequence).between(first, last))
    return session.exec(within.where(col(EvidenceRow.leaf).is_not(None))).one()


def _before(number: int, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what ``ranges`` name in bundles that were full when record ``number`` was made. Pure.

    A purge names nothing else; whoever wrote more into the store would keep it busy for ever.
    """
    end = number // WIDTH * WIDTH
    return [(first, min(last, end - 1)) for first, last in ranges if first < end]
