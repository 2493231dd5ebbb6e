"""The witness: cosigns another installation's checkpoint when it continues the tree that was seen before.

C2SP tlog-witness. Public by protocol: a request is authenticated by the signature of the log itself.

INVARIANT: of one log, no two trees of one size are ever cosigned, and sizes never go back; the state is compared and
set in one transaction, committed before the cosignature is made.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from core.clock import Clock
from core.database import Database
from core.errors import Malformed
from core.ledger import checkpoint, cosignature, evidence, merkle, proof
from core.ledger.checkpoint import COSIGNER_KEY, Checkpoint, CheckpointSigner, VerifierKey
from core.ledger.entry import Event
from core.ledger.errors import (
    BadCheckpoint,
    BadCheckpointSignature,
    BadProof,
    ForeignSignature,
    ForkedLog,
    StaleSize,
    UnknownLog,
    WitnessDamaged,
)
from core.ledger.models import RefusedCheckpoint, WitnessedLog
from core.ledger.proof import Submission

#: Two installations that witness each other would otherwise grow for ever, each by the record of the other's record.
RECORDED_EVERY = timedelta(hours=1)

#: Whoever finds a signed checkpoint can submit it with a wrong proof: that is put on record no more often than this.
REFUSED_EVERY = timedelta(minutes=1)

FORKED, UNPROVEN = "same-size-other-tree", "no-proof-of-growth"


class Witness:
    """One witness with its key; ``logs`` are the keys of the logs that it knows."""

    def __init__(
        self, *, database: Database, clock: Clock, signer: CheckpointSigner, name: str, logs: Iterable[VerifierKey]
    ) -> None:
        """Prepare; the key is asked for when it is needed."""
        self._database = database
        self._clock = clock
        self._signer = signer
        self._name = name
        self.logs = {key.name: key for key in logs}

    def key(self) -> VerifierKey:
        """Return the key that verifies our cosignatures. Raises ``Unavailable`` and ``UnknownKey``."""
        return checkpoint.verifier_key(self._name, self._signer, COSIGNER_KEY)

    def add_checkpoint(self, body: bytes) -> bytes:
        """Return our cosignature, a line of a note, for the checkpoint in ``body``.

        Raises ``MalformedProof``; ``UnknownLog`` and ``ForeignSignature`` when it is of nobody we know; ``Malformed``
        when it shrinks; ``StaleSize`` with the size that we have when it starts from another, or is another tree of
        that size; ``ForkedLog`` when the proof does not verify. The last two are on record. ``WitnessDamaged`` when we
        cannot know any more what we cosigned.
        """
        submission = proof.parse_submission(body)
        signed = self._authenticate(submission.note)
        if submission.old > signed.size:
            raise Malformed(f"a log of {submission.old} records cannot have grown to {signed.size}")
        # Before anything is kept: a witness without its key would count what it never cosigned.
        self.key()
        try:
            at = self._advance(submission, signed)
        except IntegrityError:
            # The log's first checkpoint came twice at once; now there is a row to hold on to.
            at = self._advance(submission, signed)
        # A crash here leaves a checkpoint kept and no cosignature given: asked again from this size, we give it.
        # The time is that of the state: by now a larger checkpoint may have been cosigned.
        return cosignature.cosign(submission.note, name=self._name, signer=self._signer, at=at)

    def _authenticate(self, note: bytes) -> Checkpoint:
        signed = checkpoint.parse_checkpoint(note)
        key = self.logs.get(signed.origin)
        if key is None:
            raise UnknownLog(f"this witness does not know the log `{signed.origin}`")
        try:
            checkpoint.verify_checkpoint(note, key)
        except BadCheckpointSignature as error:
            raise ForeignSignature(error.detail) from error
        return signed

    def _advance(self, submission: Submission, signed: Checkpoint) -> datetime:
        """Compare and set what was seen of the log; return when."""
        with self._database.write() as session:
            known = _locked(session, signed.origin)
            if known is not None:
                _demand_sound(known)
            now = self._clock.now()
            size = known.size if known is not None else 0
            fault = _fault(known, submission, signed)
            if fault:
                _refuse(session, submission.note, signed, fault, size=size, at=now)
            elif size == submission.old:
                _keep(session, known, submission.note, signed, at=now)
        # A crash here leaves a refusal on record that nobody was told, or what `add_checkpoint` says.
        if fault == UNPROVEN:
            raise ForkedLog(f"the checkpoint of size {signed.size} does not continue the {size} records seen before")
        if fault == FORKED:
            raise StaleSize(f"another tree of {size} records was cosigned before", size=size)
        if size != submission.old:
            raise StaleSize(f"the newest checkpoint that was cosigned is of size {size}", size=size)
        return now


def _demand_sound(known: WitnessedLog) -> None:
    """Demand that the size and root that we go by are those of the checkpoint that the log signed beside them."""
    try:
        note = checkpoint.parse_checkpoint(known.note)
        sound = (note.origin, note.size, note.root.hex()) == (known.origin, known.size, known.root)
    except BadCheckpoint:
        sound = False
    if not sound:
        raise WitnessDamaged(
            f"what this witness keeps of the log `{known.origin}` is not what that log signed",
            hint="its store was changed, or came back in part: see deploy/runbooks/recover.md",
        )


def seen(session: Session) -> list[WitnessedLog]:
    """Return what was last seen of every log."""
    return list(session.exec(select(WitnessedLog).order_by(WitnessedLog.origin)))


def refused(session: Session, most: int = 100) -> list[RefusedCheckpoint]:
    """Return the newest refusals on record."""
    return list(session.exec(select(RefusedCheckpoint).order_by(col(RefusedCheckpoint.at).desc()).limit(most)))


def _fault(known: WitnessedLog | None, submission: Submission, signed: Checkpoint) -> str:
    """Return what the log did wrong, as far as its signature or its proof shows; nothing when it only began late."""
    if known is not None and signed.size == known.size and signed.root.hex() != known.root:
        return FORKED
    if submission.old != (known.size if known is not None else 0):
        return ""
    if known is None or known.size == 0:
        return UNPROVEN if submission.hashes else ""
    try:
        merkle.verify_consistency(
            size1=known.size,
            size2=signed.size,
            proof=submission.hashes,
            root1=bytes.fromhex(known.root),
            root2=signed.root,
        )
    except BadProof:
        return UNPROVEN
    return ""


def _keep(session: Session, known: WitnessedLog | None, note: bytes, signed: Checkpoint, *, at: datetime) -> None:
    """Take the new checkpoint for the log's newest, and put that on record from time to time."""
    row = known or WitnessedLog(origin=signed.origin, size=0, root="", note=b"", at=at)
    grown = signed.size > row.size or not row.root
    row.size, row.root, row.note, row.at = signed.size, signed.root.hex(), note, at
    if grown and (row.recorded_at is None or row.recorded_at + RECORDED_EVERY <= at):
        row.recorded_at = at
        evidence.append(session, _event("ledger.witness.advanced", signed, note), at=at)
    session.add(row)


def _refuse(session: Session, note: bytes, signed: Checkpoint, fault: str, *, size: int, at: datetime) -> None:
    if session.get(RefusedCheckpoint, (signed.origin, signed.size, signed.root.hex(), fault)) is not None:
        return
    ours = select(func.max(RefusedCheckpoint.at)).where(RefusedCheckpoint.origin == signed.origin)
    last = session.exec(ours.where(RefusedCheckpoint.reason == UNPROVEN)).one()
    if fault == UNPROVEN and last is not None and last + REFUSED_EVERY > at:
        return
    row = RefusedCheckpoint(
        origin=signed.origin, size=signed.size, root=signed.root.hex(), reason=fault, note=note, at=at
    )
    session.add(row)
    event = _event("ledger.witness.refused", signed, note, result="refused", reason=fault, cosigned=size)
    evidence.append(session, event, at=at)


def _event(kind: str, signed: Checkpoint, note: bytes, *, result: str = "done", **more: str | int) -> Event:
    """The whole note goes on record: with another one of the log it proves a fork to anybody."""
    details = {"size": signed.size, "root": signed.root.hex(), "note": note.decode(), **more}
    return Event(kind, f"log:{signed.origin}"[:120], f"log:{signed.origin}"[:200], result=result, details=details)


def _locked(session: Session, origin: str) -> WitnessedLog | None:
    return session.exec(select(WitnessedLog).where(WitnessedLog.origin == origin).with_for_update()).one_or_none()
