"""Prove a record, or that the log only grew, from the published log; nothing is handed out that would not verify."""

from sqlmodel import Session, select

from core.ledger import checkpoint, merkle, published
from core.ledger.checkpoint import Checkpoint
from core.ledger.errors import BadProof, InconsistentLog, UnknownRecord, UnknownTile
from core.ledger.models import EvidenceRow
from core.ledger.place import LedgerPlace
from core.ledger.proof import RecordProof, Submission
from core.ledger.stub import parse_stub
from core.ledger.tiles import WIDTH

_LARGEST_NUMBER = 2**53


def find_number(session: Session, wanted: str) -> int:
    """Return the number of the record that ``wanted`` names: its number, or its identifier.

    Raises ``UnknownRecord``, also for a record that has no number yet.
    """
    if wanted.isascii() and wanted.isdecimal() and len(wanted) < 17:
        return int(wanted)
    found = session.exec(select(EvidenceRow.sequence).where(EvidenceRow.identifier == wanted[:40])).first()
    if found is None:
        raise UnknownRecord(
            f"evidence holds no numbered record `{wanted[:40]}`", hint="give a number or the id of `evidence find`"
        )
    return found


def prove_record(place: LedgerPlace, number: int) -> RecordProof:
    """Prove record ``number`` under the newest cosigned checkpoint that covers it, or else the newest of all.

    Raises ``BadProof`` when no checkpoint covers it yet, ``UnknownRecord`` when it was purged, ``UnknownTile``,
    ``BadTile``, ``StorageFailed``, and ``InconsistentLog`` when the tiles do not lead to what was signed.
    """
    note, signed = _covering(place, number + 1)
    if not 0 <= number < min(signed.size, _LARGEST_NUMBER):
        raise BadProof(f"no checkpoint covers record {number}: the newest is of {signed.size} records")
    width = min(WIDTH, signed.size - number // WIDTH * WIDTH)
    record = published.entries(place.directory, number // WIDTH, width)[number % WIDTH]
    stub = parse_stub(record)
    if stub is not None:
        raise UnknownRecord(f"record {number} was purged", hint=f"record `{stub.by}` says by whom and why")
    made = RecordProof(number, tuple(published.tree(place.directory, signed.size).inclusion(number)), note, record)
    try:
        made.verify(place.key)
    except BadProof as error:
        raise _inconsistent(signed.size) from error
    return made


def prove_consistency(place: LedgerPlace, since: int, size: int | None = None) -> Submission:
    """Prove that the log of ``size`` records (the newest checkpoint) begins with its first ``since`` records.

    A ``since`` of 0 gives no proof, which is what a witness is sent that saw nothing yet. Raises as ``prove_record``.
    """
    note = published.newest(place.directory) if size is None else published.signed(place.directory, size)
    checkpoint.verify_checkpoint(note, place.key)
    signed = checkpoint.parse_checkpoint(note)
    if since > signed.size:
        raise BadProof(f"the newest checkpoint is of {signed.size} records, fewer than {since}")
    if since == 0:
        return Submission(0, (), note)
    tree = published.tree(place.directory, signed.size)
    proof = tree.consistency(since)
    try:
        merkle.verify_consistency(
            size1=since, size2=signed.size, proof=proof, root1=tree.root_at(since), root2=signed.root
        )
    except BadProof as error:
        raise _inconsistent(signed.size) from error
    return Submission(since, tuple(proof), note)


def _covering(place: LedgerPlace, size: int) -> tuple[bytes, Checkpoint]:
    try:
        note = published.cosigned(place.directory)
        signed = checkpoint.parse_checkpoint(note)
        if signed.size >= size:
            return note, signed
    except UnknownTile:
        # Nobody witnesses this log yet.
        pass
    note = published.newest(place.directory)
    return note, checkpoint.parse_checkpoint(note)


def _inconsistent(size: int) -> InconsistentLog:
    return InconsistentLog(
        f"the published tiles are not those that the checkpoint of size {size} was signed for",
        hint="a file of the evidence was changed on disk; compare it with its mirror",
    )
