"""The sequencer: numbers records, writes their tiles, signs, publishes. In this order, and every step may be the last.

INVARIANT: a record's number never changes once it is committed; everything else is derived from the numbered records.
INVARIANT: a checkpoint is signed only when its tiles are on disk and every checkpoint signed before agrees with it.
"""

import threading
import time
from pathlib import Path

from sqlalchemy import update
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import Select

from core.clock import Clock
from core.database import Database
from core.errors import Unavailable
from core.ledger import checkpoint
from core.ledger.checkpoint import Checkpoint, CheckpointSigner
from core.ledger.errors import InconsistentLog, LeaseHeld
from core.ledger.lease import Lease
from core.ledger.models import EvidenceRow, LedgerCheckpoint
from core.ledger.storage import DurableWriter, LogFolder, Writer
from core.ledger.tiles import TileTree

#: A record of this type closes a checkpoint: the bundle that it names ends with it.
BUNDLE_EXPORTED = "ledger.bundle.exported"

#: Most records numbered in one transaction, and most read at once.
BATCH = 2_000

#: Seconds between looks for new records, and how long a part that does not answer is tried again.
IDLE, PATIENCE = 0.05, 30.0

#: While the tree is rebuilt, tiles are written when this many wait.
_TILES_WAITING = 64


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
    ) -> None:
        """Prepare; nothing is read or claimed before the first run.

        ``owner`` names this sequencer's place: a new one of the same owner takes over at once.
        """
        writer = writer or DurableWriter()
        self._database = database
        self._clock = clock
        self._origin = origin
        self._signer = signer
        self._lease = Lease(database=database, clock=clock, owner=owner)
        self._log = LogFolder(directory, writer)
        self._copies = [self._log] if mirror is None else [self._log, LogFolder(mirror, writer)]
        self._begin()

    def _begin(self) -> None:
        self._tree = TileTree()
        self._signed = 0
        self._recovered = False
        self._superseded: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. A part that does not answer is tried again for half a minute, then raised."""
        failing_since: float | None = None
        while not stop.is_set():
            try:
                done = self.run_once()
                failing_since = None
            except LeaseHeld:
                done = 0
            except Unavailable:
                # Nothing is lost by waiting: records stay in the store, and whoever needs them published waits too.
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > PATIENCE:
                    raise
                done = 0
            if not done:
                stop.wait(IDLE)

    def run_once(self) -> int:
        """Bring every committed record under a published checkpoint; return how many were newly numbered.

        Raises ``InconsistentLog`` and ``Fenced`` (end, and let a person look), ``Unavailable`` (try again).
        """
        self._lease.hold()
        if self._recovered and not self._work_waits():
            return 0
        numbered = 0
        while (step := self._number()) > 0:
            numbered += step
        self._catch_up()
        self._sign_all()
        self._publish()
        return numbered

    def _work_waits(self) -> bool:
        with self._database.read() as session:
            new = session.exec(select(EvidenceRow.row).where(col(EvidenceRow.sequence).is_(None)).limit(1)).first()
            due = session.exec(_unpublished().limit(1)).first()
            return new is not None or due is not None or self._tree.size > self._signed

    def _number(self) -> int:
        """Give the next numbers to records in the order of their rows; return how many."""
        with self._database.write() as session:
            self._lease.check(session)
            last = session.exec(select(func.max(EvidenceRow.sequence))).one()
            first = 0 if last is None else last + 1
            unnumbered = select(EvidenceRow.row).where(col(EvidenceRow.sequence).is_(None))
            rows = session.exec(unnumbered.order_by(col(EvidenceRow.row)).limit(BATCH)).all()
            if rows:
                numbers = [{"row": row, "sequence": first + place} for place, row in enumerate(rows)]
                session.execute(update(EvidenceRow), numbers)
        # A crash here leaves numbered records without tiles: the next run makes them.
        return len(rows)

    def _catch_up(self) -> None:
        """Grow to every checkpoint that was signed already, and find each of them confirmed by the records."""
        marks = self._marks()
        if any(mark.size < self._tree.size for mark in marks):
            # Somebody else signed a size that we have passed unsigned: begin again from the records.
            self._begin()
            marks = self._marks()
        for mark in marks:
            while self._tree.size < mark.size:
                if not self._feed(mark.size):
                    raise InconsistentLog(
                        f"a checkpoint of size {mark.size} was signed, the store holds only {self._tree.size} records",
                        hint="the store is older than its evidence: restore the records from the mirror first",
                    )
            if self._tree.root() != mark.root:
                raise InconsistentLog(
                    f"the first {mark.size} records are not those that were signed: a record was changed in the store",
                    hint="nothing more is signed; compare the store with the entry bundles of the mirror",
                )
            self._add_incomplete()
            self._signed = mark.size

    def _marks(self) -> list[Checkpoint]:
        """Return what was signed beyond our knowledge, by size: said by the store and, at the start, by each copy."""
        with self._database.read() as session:
            later = select(LedgerCheckpoint.size, LedgerCheckpoint.root)
            rows = session.exec(later.where(col(LedgerCheckpoint.size) > self._signed)).all()
        marks = {Checkpoint(self._origin, size, bytes.fromhex(root)) for size, root in rows}
        if not self._recovered:
            key = checkpoint.verifier_key(self._origin, self._signer)
            for note in [copy.newest() for copy in self._copies]:
                if note is not None:
                    checkpoint.verify_checkpoint(note, key)
                    marks.add(checkpoint.parse_checkpoint(note))
        return sorted((mark for mark in marks if mark.size > self._signed), key=lambda mark: mark.size)

    def _feed(self, limit: int | None = None) -> bool:
        """Grow the tree by numbered records, up to size ``limit`` or a record that closes a checkpoint."""
        before = self._tree.size
        statement = select(EvidenceRow.sequence, EvidenceRow.type, EvidenceRow.content, EvidenceRow.leaf)
        statement = statement.where(col(EvidenceRow.sequence) >= before).order_by(col(EvidenceRow.sequence))
        count = BATCH if limit is None else min(BATCH, limit - before)
        with self._database.read() as session:
            records = session.exec(statement.limit(count)).all()
        for sequence, kind, content, leaf in records:
            if sequence != self._tree.size:
                raise InconsistentLog(f"record {self._tree.size} is missing in the store")
            # A purged record keeps its leaf hash (``stub.py``); whether it is the right one, the signed root says.
            self._tree.append(content, leaf=bytes.fromhex(leaf) if leaf else None)
            if limit is None and kind == BUNDLE_EXPORTED:
                break
        self._add_complete()
        return self._tree.size > before

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
        with self._database.read() as session:
            statement = _unpublished() if self._recovered else _SIGNED
            due = session.exec(statement.order_by(col(LedgerCheckpoint.size))).all()
        if not due:
            self._recovered = True
            return
        for copy in self._copies:
            copy.write_tiles()
            for size, note in due:
                copy.keep(size, note)
            # A crash here leaves the older checkpoint shown, which is still true; the next run shows the newer one.
            copy.show(due[-1][1])
        # A crash here leaves everything in place, but not said so: the next run finds the same files and says it.
        with self._database.write() as session:
            self._lease.check(session)
            self._mark_published(session, due[-1][0])
        self._recovered = True
        for copy in self._copies:
            copy.drop_incomplete(self._superseded)
        # A crash before this leaves incomplete tiles beside the full ones: harmless, and allowed by the format.
        self._superseded = []

    def _mark_published(self, session: Session, size: int) -> None:
        unmarked = update(LedgerCheckpoint).where(col(LedgerCheckpoint.published_at).is_(None))
        session.execute(unmarked.where(col(LedgerCheckpoint.size) <= size).values(published_at=self._clock.now()))

    def _add_complete(self) -> None:
        tiles = self._tree.take_complete()
        self._superseded += tiles
        for copy in self._copies:
            copy.add(tiles)
            if copy.waiting > _TILES_WAITING:
                copy.write_tiles()

    def _add_incomplete(self) -> None:
        tiles = self._tree.incomplete()
        for copy in self._copies:
            copy.add(tiles)


_SIGNED = select(LedgerCheckpoint.size, LedgerCheckpoint.note)


def _unpublished() -> Select[int, bytes]:
    return _SIGNED.where(col(LedgerCheckpoint.published_at).is_(None))
