"""Reconcile a restored store with the mirrored evidence: **a restore cannot resurrect**. One transaction, idempotent.

Records beyond the cut come back with their numbers, the checkpoints over them with their signatures, and what the
records did is done again (``replay.py``). The mirror was verified before; here it is held against the store.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from backup import events, replay_status
from backup.errors import Damaged
from backup.mirror import Mirror, Record
from backup.replay import Replay
from core.database import Database
from core.jobs import JobLease
from core.ledger import evidence, purge, search
from core.ledger.entry import JsonValue
from core.ledger.models import EvidenceBody, EvidencePurge, EvidenceRow, LedgerCheckpoint, LedgerLease
from core.ledger.stub import Stub, leaf_of, parse_stub

#: How far the numbers of revocation lists jump: more than could have been published between the mirror and the fault.
CRL_MARGIN = 1_000

#: Records read at once, and most ranges of record numbers that are named for one type.
_BATCH, _MOST_RANGES = 1_000, 50


#: Records that the store has whole and the mirror as stubs: number and stub.
Purged = list[tuple[int, Stub]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reconciliation brought back.

    ``records`` came from the mirror, ``numbered`` were in the store without their number; ``replayed`` counts effects
    by type, ``not_rebuilt`` names what could not be done again: type → numbers of its records. ``bodies_lost`` names
    the records whose bodies went with the old store: the mirror holds records, and of a body only the commitment.
    """

    store_size: int
    mirror_size: int
    records: int
    numbered: int
    replayed: dict[str, int]
    not_rebuilt: dict[str, str]
    crl_numbers: dict[str, int]
    bodies_lost: str = ""

    def as_json(self) -> dict[str, JsonValue]:
        """Return what is recorded and printed."""
        return {
            "store_size": self.store_size,
            "mirror_size": self.mirror_size,
            "records": self.records,
            "numbered": self.numbered,
            "replayed": self.replayed,
            "not_rebuilt": self.not_rebuilt,
            "crl_numbers": self.crl_numbers,
            "bodies_lost": self.bodies_lost,
        }


def reconcile(database: Database, mirror: Mirror, *, point: str, at: datetime) -> Outcome:
    """Bring the store forward to ``mirror`` and record that. Raises ``Damaged`` when they contradict each other."""
    try:
        return _reconcile(database, mirror, point, at)
    except IntegrityError as error:
        raise Damaged(f"the evidence after the cut contradicts the restored store: {error.orig}") from error


def _reconcile(database: Database, mirror: Mirror, point: str, at: datetime) -> Outcome:
    with database.write() as session:
        known = _done_before(session, point, mirror.size)
        if known is not None:
            return known
        size, purged = _compare(session, mirror)
        work = Replay(session)
        taken = _bring_records(session, mirror.records(size), work, purged)
        # Last, when the records that decided on the purges are there: the store itself asks for them.
        _purge_again(session, purged)
        _bring_checkpoints(session, mirror, at)
        _end_leases(session, at)
        outcome = Outcome(
            store_size=size,
            mirror_size=mirror.size,
            records=sum(taken),
            numbered=len(taken) - sum(taken),
            replayed=dict(sorted(work.done.items())),
            not_rebuilt=_named(work.left),
            crl_numbers=replay_status.forget_lists(session, CRL_MARGIN, at),
            bodies_lost=_ranges(_lost(session, work.bodies)),
        )
        evidence.append(session, events.reconciled(point, outcome.as_json()), at=at)
    # A crash before this leaves the store as the point had it; one after it, a store that needs nothing more.
    return outcome


def _done_before(session: Session, point: str, size: int) -> Outcome | None:
    """Return the outcome of the same reconciliation, when it was done and nothing came after in the mirror."""
    for row in search.about(session, events.object_of(point), type_=events.RECONCILED):
        details = json.loads(row.content)["details"]
        if details["mirror_size"] == size:
            return Outcome(**details)
    return None


def _compare(session: Session, mirror: Mirror) -> tuple[int, Purged]:
    """Hold the numbered records of the store against the mirror's; return how many there are, and what is purged."""
    numbered = select(EvidenceRow.sequence, EvidenceRow.content).where(col(EvidenceRow.sequence).is_not(None))
    rows = session.exec(numbered.order_by(col(EvidenceRow.sequence)), execution_options={"yield_per": _BATCH})
    mirrored = mirror.entries()
    size = 0
    purged: Purged = []
    with closing(rows):
        for number, content in rows:
            if number != size:
                raise Damaged(f"record {size} is missing in the restored store")
            kept = next(mirrored) if number < mirror.size else content
            # Either may be the stub of the other: by its leaf hash they are the same record.
            if leaf_of(kept) != leaf_of(content):
                raise Damaged(f"record {number} is another in `{mirror.folder}` than in the restored store")
            stub = parse_stub(kept)
            if stub is not None and kept != content:
                purged.append((number, stub))
            size += 1
    return size, purged


def _purge_again(session: Session, purged: Purged) -> None:
    """A restore cannot bring back what was purged after the cut; what each purge decided has been brought back before.

    The store changes a record only for a purge that stands as decided (``deploy/migrations``), however far it had come.
    """
    for identifier in sorted({stub.by for _number, stub in purged}):
        decided = session.get(EvidencePurge, identifier)
        if decided is None:
            raise Damaged(f"no record `{identifier}` of a purge came back that explains its stubs")
        state, decided.state = decided.state, purge.State.DECIDED.value
        session.add(decided)
        session.flush()
        for number, stub in purged:
            if stub.by == identifier:
                row = session.exec(select(EvidenceRow).where(EvidenceRow.sequence == number)).one()
                purge.replace_row(session, row, identifier)
        decided.state = state
        session.add(decided)
        session.flush()


def _bring_records(session: Session, records: Iterable[Record], work: Replay, purged: Purged) -> list[bool]:
    """Enter each record with its number; say for each whether it was new to the store. Adds to ``purged``."""
    taken = []
    for record in records:
        row = _unnumbered_of(session, record) if record.leaf else _with_id(session, record)
        if row is None:
            session.add(_row(record))
            work.apply(record)
        elif leaf_of(row.content) != leaf_of(record.content) or row.sequence is not None:
            raise Damaged(f"record {record.sequence} is in the restored store with another content or number")
        else:
            # Committed with its effect before the cut, numbered after it.
            row.sequence = record.sequence
            session.add(row)
            if (stub := parse_stub(record.content)) is not None:
                purged.append((record.sequence, stub))
        taken.append(row is None)
    session.flush()
    return taken


def _with_id(session: Session, record: Record) -> EvidenceRow | None:
    return session.exec(select(EvidenceRow).where(EvidenceRow.identifier == record.identifier)).first()


def _unnumbered_of(session: Session, record: Record) -> EvidenceRow | None:
    """Return the record that a stub stands for, where it was committed before the cut and numbered after it."""
    waiting = session.exec(select(EvidenceRow).where(col(EvidenceRow.sequence).is_(None)))
    return next((row for row in waiting if leaf_of(row.content).hex() == record.leaf), None)


def _row(record: Record) -> EvidenceRow:
    return EvidenceRow(
        identifier=record.identifier,
        at=record.at,
        type=record.type,
        actor=record.actor,
        object=record.object,
        domain=record.domain,
        result=record.result,
        content=record.content,
        sequence=record.sequence,
        leaf=record.leaf,
    )


def _bring_checkpoints(session: Session, mirror: Mirror, at: datetime) -> None:
    for note in mirror.notes:
        known = session.get(LedgerCheckpoint, note.size)
        if known is not None and known.note != note.content:
            raise Damaged(f"the checkpoint of size {note.size} is another in the mirror than in the restored store")
        row = known or LedgerCheckpoint(size=note.size, root=note.root.hex(), note=note.content, at=at)
        row.published_at = row.published_at or at
        session.add(row)
    # What the store knows and the mirror does not was signed before the fault: the sequencer publishes it.
    session.flush()


def _end_leases(session: Session, at: datetime) -> None:
    """Whoever held a lease is gone with the old site: nobody need wait for it, and its number counts no more."""
    for lease in session.exec(select(LedgerLease)):
        lease.until, lease.fence = at, lease.fence + 1
        session.add(lease)
    for job in session.exec(select(JobLease)):
        job.expires, job.fence = None, job.fence + 1
        session.add(job)
    session.flush()


def _lost(session: Session, committed: Sequence[Record]) -> list[int]:
    """Return the numbers of those records whose body is not there, and was not erased either."""
    return [one.sequence for one in committed if session.get(EvidenceBody, one.identifier) is None]


def _named(left: Sequence[Record]) -> dict[str, str]:
    found: dict[str, list[int]] = {}
    for record in left:
        found.setdefault(record.type, []).append(record.sequence)
    return {kind: _ranges(numbers) for kind, numbers in sorted(found.items())}


def _ranges(numbers: Sequence[int]) -> str:
    """Return ``3: 7-8, 12``; nothing for none."""
    if not numbers:
        return ""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    named = [f"{first}-{last}" if last > first else str(first) for first, last in ranges[:_MOST_RANGES]]
    more = [f"and {len(ranges) - _MOST_RANGES} more ranges"] if len(ranges) > _MOST_RANGES else []
    return f"{len(numbers)}: {', '.join([*named, *more])}"


def newest_record(session: Session) -> datetime | None:
    """Return the time of the newest numbered record."""
    statement = select(func.max(EvidenceRow.at)).where(col(EvidenceRow.sequence).is_not(None))
    return session.exec(statement).one()
