"""The sequencer: numbers records, writes their tiles, signs, publishes. In this order, and every step may be the last.

A checkpoint is due every second, or as soon as a thousand records wait, or at once when somebody waits for one.

INVARIANT: a record's number never changes once it is committed; everything else is derived from the numbered records.
INVARIANT: a checkpoint is signed only when its tiles are on disk and every checkpoint signed before agrees with it.
"""

import threading
import time
from pathlib import Path

from sqlalchemy import ColumnElement, CursorResult, Integer, Update, bindparam, delete, update
from sqlalchemy import select as sqlalchemy_select
from sqlmodel import col, func, select

from core.clock import Clock
from core.database import Database
from core.errors import Unavailable
from core.ledger import checkpoint, numbered, recovery
from core.ledger.checkpoint import Checkpoint, CheckpointSigner
from core.ledger.errors import Fenced, LeaseHeld, TileLost
from core.ledger.lease import Lease
from core.ledger.models import EvidenceRow, LedgerCheckpoint, LedgerWish
from core.ledger.scrub import TILES_WAITING, Scrubber
from core.ledger.storage import DurableWriter, LogFolder, Writer
from core.ledger.tiles import TileTree

#: A record of this type closes a checkpoint: the bundle that it names ends with it.
BUNDLE_EXPORTED = "ledger.bundle.exported"

#: A checkpoint is due after so many seconds, or so many records.
EVERY, RECORDS = 1.0, 1_000

#: Most records numbered in one transaction: writers wait for it.
BATCH = 1_000

#: Seconds between looks for new records, and how long a part that does not answer is tried again.
IDLE, PATIENCE = 0.05, 30.0

#: Full tiles that are looked at again when a sequencer begins, and with each checkpoint or idle second after.
SCRUBBED_AT_START, SCRUBBED = 16, 1


class Sequencer:
    """Makes the log from the records of the store; at most one works at a time, which the lease sees to."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        directory: Path,
        origin: str,
        signer: CheckpointSigner,
        owner: str,
        mirror: Path | None,
        writer: Writer | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Prepare; nothing is read or claimed before the first run.

        ``owner`` names this sequencer's place: a new one of the same owner takes over at once. A part that does not
        answer is tried again for ``patience`` seconds.
        """
        self._patience = patience
        writer = writer or DurableWriter()
        self._database = database
        self._clock = clock
        self._origin = origin
        self._signer = signer
        self._lease = Lease(database=database, clock=clock, owner=owner)
        self._log = LogFolder(directory, writer)
        self._copies = [self._log] if mirror is None else [self._log, LogFolder(mirror, writer)]
        self._tree = TileTree()
        self._signed = 0
        self._superseded: list[str] = []
        #: Nothing until we know where the log stands.
        self._scrubber: Scrubber | None = None
        self._from_scratch = False
        self._signed_at = self._scrubbed_at = time.monotonic() - EVERY

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. A part that does not answer is tried again for a while, then raised.

        Only work that was done ends that while: that there is nothing to do says nothing of the part.
        """
        failing_since: float | None = None
        while not stop.is_set():
            done = 0
            try:
                if self._is_due():
                    done = self.run_once()
                    failing_since = None
            except LeaseHeld:
                failing_since = None
            except Unavailable:
                # Nothing is lost by waiting: records stay in the store, and whoever needs them published waits too.
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > self._patience:
                    raise
            if not done:
                stop.wait(IDLE)

    def run_once(self) -> int:
        """Bring every committed record under a published checkpoint; return how many were newly numbered.

        Raises ``InconsistentLog`` and ``Fenced`` (end, and let a person look), ``Unavailable`` (try again).
        """
        self._lease.hold()
        if self._scrubber is not None and not self._work_waits():
            self._scrub(self._scrubber, SCRUBBED)
            return 0
        numbered = 0
        while (step := self._number()) > 0:
            numbered += step
        scrubber, looks = self._scrubber, SCRUBBED
        if scrubber is None or self._is_overtaken():
            scrubber, looks = self._recover(), SCRUBBED_AT_START
        self._signed_at = time.monotonic()
        self._sign_all()
        self._publish()
        self._scrub(scrubber, looks)
        return numbered

    def _is_due(self) -> bool:
        """Say whether it is time for a checkpoint, or to look at a tile. The clock of the machine has no part in it."""
        self._lease.hold()
        now = time.monotonic()
        if self._scrubber is None or now - self._scrubbed_at >= EVERY:
            return True
        with self._database.read() as session:
            if session.exec(select(LedgerWish.record).limit(1)).first() is not None:
                return True
            unnumbered = select(EvidenceRow.row).where(col(EvidenceRow.sequence).is_(None)).limit(RECORDS)
            waiting = session.exec(select(func.count()).select_from(unnumbered.subquery())).one()
        return waiting >= RECORDS or (waiting > 0 and now - self._signed_at >= EVERY)

    def _work_waits(self) -> bool:
        with self._database.read() as session:
            asked = (
                select(EvidenceRow.row).where(col(EvidenceRow.sequence).is_(None)),
                select(LedgerCheckpoint.size).where(col(LedgerCheckpoint.published_at).is_(None)),
                select(LedgerWish.record),
            )
            waits = any(session.exec(statement.limit(1)).first() is not None for statement in asked)
            return waits or self._tree.size > self._signed

    def _number(self) -> int:
        """Give the next numbers to records in the order of their rows; return how many."""
        with self._database.write() as session:
            self._lease.check(session)
            last = session.exec(select(func.max(EvidenceRow.sequence))).one()
            done = session.connection().execute(_NUMBER, {"before": -1 if last is None else last})
            assert isinstance(done, CursorResult)
        # A crash here leaves numbered records without tiles: the next run makes them.
        return done.rowcount

    def _is_overtaken(self) -> bool:
        """Say whether the store knows a checkpoint that we do not: another's, or one of ours that seemed to fail."""
        return next(recovery.rows_after(self._database, self._signed), None) is not None

    def _recover(self) -> Scrubber:
        """Find out where the log stands, hold it against what was signed, and bring every copy up to it."""
        self._scrubber = None
        key = checkpoint.verifier_key(self._origin, self._signer)
        marks = recovery.marks(self._database, self._copies, key)
        tree = None if self._from_scratch or not marks else recovery.resume(self._database, self._copies, marks[0])
        self._superseded = []
        tree, above = recovery.grow(self._database, tree, marks, self._origin)
        for copy in self._copies:
            copy.add(above)
            copy.write_tiles()
        scrubber = Scrubber(database=self._database, copies=self._copies, tree=tree)
        try:
            scrubber.fill(min(copy.shown for copy in self._copies))
        except TileLost:
            self._from_scratch = True
            raise
        self._tree, self._signed, self._from_scratch = tree, tree.size, False
        self._add_incomplete()
        self._scrubber = scrubber
        return scrubber

    def _feed(self) -> bool:
        """Grow the tree by numbered records, as many as one checkpoint takes, or to one that closes it."""
        with self._database.read() as session:
            records = numbered.read(session, self._tree.size, RECORDS)
        for record in records:
            self._tree.append(record.content, leaf=record.leaf)
            if record.type == BUNDLE_EXPORTED:
                break
        self._add_complete()
        return bool(records)

    def _sign_all(self) -> None:
        """Sign the tree at its size, then go on with what is numbered beyond it."""
        while True:
            if self._tree.size > self._signed:
                self._sign()
            if not self._feed():
                return

    def _sign(self) -> None:
        # 1. Tiles first: nobody must be shown a root whose leaves could still be lost.
        self._add_incomplete()
        self._log.write_tiles()
        # A crash here leaves tiles that no checkpoint covers: the next run writes the same octets again.
        # 2. Sign. The signature is deterministic (RFC 8032), so doing this twice gives one and the same note.
        signed = Checkpoint(self._origin, self._tree.size, self._tree.root())
        note = checkpoint.sign_checkpoint(signed, self._signer)
        # A crash here leaves a signature that nobody saw.
        # 3. Record it, if we are still the sequencer; only from now on may it be shown.
        with self._database.write() as session:
            self._lease.check(session)
            session.add(LedgerCheckpoint(size=signed.size, root=signed.root.hex(), note=note, at=self._clock.now()))
        # A crash here leaves a signed checkpoint that is not published: the next run publishes it.
        self._signed = signed.size

    def _publish(self) -> None:
        """Show what was signed: in the directory, then in the mirror, the checkpoint last; then say so in the store."""
        for copy in self._copies:
            copy.write_tiles()
            newest = None
            for row in recovery.rows_after(self._database, copy.shown):
                copy.keep(row.size, row.note)
                newest = row
            # A crash here leaves the older checkpoint shown, which is still true; the next run shows the newer one.
            if newest is not None:
                copy.show(newest.note)
            if copy.shown > self._signed:
                raise Fenced(f"a checkpoint of size {copy.shown} is already published, ours has size {self._signed}")
        # A crash here leaves everything in place, but not said so: the next run finds the same files and says it.
        with self._database.write() as session:
            self._lease.check(session)
            session.execute(_GRANT, {"size": self._signed})
            mark = update(LedgerCheckpoint).values(published_at=self._clock.now())
            unmarked = mark.where(col(LedgerCheckpoint.published_at).is_(None))
            session.execute(unmarked.where(col(LedgerCheckpoint.size) <= self._signed))
        for copy in self._copies:
            copy.drop_incomplete(self._superseded)
        # A crash before this leaves incomplete tiles beside the full ones: harmless, and allowed by the format.
        self._superseded = []

    def _scrub(self, scrubber: Scrubber, looks: int) -> None:
        self._scrubbed_at = time.monotonic()
        try:
            scrubber.step(looks)
        except TileLost:
            # The next run makes it again from the records.
            self._scrubber, self._from_scratch = None, True

    def _add_complete(self) -> None:
        tiles = self._tree.take_complete()
        self._superseded += tiles
        for copy in self._copies:
            copy.add(tiles)
            if copy.waiting > TILES_WAITING:
                copy.write_tiles()

    def _add_incomplete(self) -> None:
        tiles = self._tree.incomplete()
        for copy in self._copies:
            copy.add(tiles)


def _numbering() -> Update:
    """Return the statement that numbers records after the number ``before``, in the order of their rows."""
    unnumbered = select(EvidenceRow.row).where(col(EvidenceRow.sequence).is_(None))
    rows = unnumbered.order_by(col(EvidenceRow.row)).limit(BATCH).subquery()
    number: ColumnElement[int] = bindparam("before", type_=Integer) + func.row_number().over(order_by=rows.c.row)
    numbers = sqlalchemy_select(rows.c.row, number.label("number")).subquery()
    return update(EvidenceRow).where(col(EvidenceRow.row) == numbers.c.row).values(sequence=numbers.c.number)


_NUMBER = _numbering()

#: Asked of each wish by itself: an ``IN`` over the records would be made of all of them.
_GRANT = delete(LedgerWish).where(
    select(EvidenceRow.row)
    .where(col(EvidenceRow.identifier) == LedgerWish.record, col(EvidenceRow.sequence) < bindparam("size"))
    .exists()
)
