"""Have our checkpoints witnessed: each new one goes to every witness of the trust policy, with its consistency proof.

The client's side of C2SP tlog-witness. Cosignatures are kept in the store and shown beside the checkpoint, in the log's
folder and in its mirror: ``witness/SIZE``, and ``checkpoint.cosigned`` for the newest with a quorum. The checkpoint
itself stays as we signed it.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.clock import Clock
from core.database import Database
from core.errors import TrustError
from core.ledger import checkpoint, cosignature, proving, published
from core.ledger.beside import Beside
from core.ledger.checkpoint import VerifierKey
from core.ledger.cosignature import Cosignature
from core.ledger.errors import BadCosignature, UnknownTile, WitnessFailed
from core.ledger.models import KeptCosignature, LedgerCheckpoint, WitnessProgress
from core.ledger.outward import Answer, Poster
from core.ledger.place import LedgerPlace
from core.ledger.publication import published_size
from core.ledger.storage import DurableWriter, Writer
from core.ledger.trustpolicy import KnownWitness, TrustPolicy
from core.text import clean

#: Most octets of a witness's answer: a size, or some lines of signatures.
LARGEST_ANSWER = 16_384

#: How far a witness's clock may be from ours.
SKEW = timedelta(minutes=10)

_LONGEST_ERROR = 400


class Witnessing:
    """Sends, verifies, keeps and shows."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        place: LedgerPlace,
        mirror: Path | None,
        policy: TrustPolicy,
        poster: Poster,
        writer: Writer | None = None,
    ) -> None:
        """Prepare; ``policy`` names the witnesses, and what a quorum of them is."""
        self._database = database
        self._clock = clock
        self._place = place
        folders = [place.directory] if mirror is None else [place.directory, mirror]
        self._beside = Beside(folders, published.WITNESSED, writer or DurableWriter())
        self._policy = policy
        self._poster = poster

    @property
    def log(self) -> VerifierKey:
        """The key of our own log: what a witness must know of us."""
        return self._place.key

    @property
    def policy(self) -> TrustPolicy:
        """The trust policy that says who witnesses us."""
        return self._policy

    def run(self) -> None:
        """Have the newest checkpoint cosigned by every witness that has not yet. Raises ``WitnessFailed`` at the end.

        One witness that fails keeps the others from nothing; it is asked again at the next run.
        """
        with self._database.read() as session:
            size = published_size(session)
            progress = {row.witness: row.size for row in session.exec(select(WitnessProgress))}
        faults = []
        for witness in self._policy.witnesses.values():
            seen = progress.get(witness.key.name, 0)
            if not witness.url or size in (0, seen):
                continue
            if fault := self._attempt(witness, seen, size):
                faults.append(f"`{witness.key.name}`: {fault}")
        self._show()
        if faults:
            raise WitnessFailed("; ".join(faults), hint="see `guosuo evidence witness list`")

    def _attempt(self, witness: KnownWitness, seen: int, size: int) -> str:
        """Ask one witness; return what went wrong, which is kept too."""
        error = ""
        made: Cosignature | None = None
        try:
            made = self._cosigned(witness, seen, size)
        except TrustError as failed:
            error = failed.detail[:_LONGEST_ERROR]
        try:
            with self._database.write() as session:
                self._keep(session, witness, size, made, error)
        except IntegrityError:
            # Another run kept the same at the same moment: the job, or a person who did not want to wait.
            return error
        # A crash here leaves a cosignature in the store that no file shows: the next run shows it.
        return error

    def _cosigned(self, witness: KnownWitness, seen: int, size: int) -> Cosignature:
        answer = self._submit(witness, seen, size)
        if answer.status == 409 and answer.kind == "text/x.tlog.size":
            theirs = _parse_size(answer.body)
            if theirs > size:
                raise WitnessFailed(f"it has seen {theirs} records of this log, which has {size}: was it rolled back?")
            answer = self._submit(witness, theirs, size)
            if theirs == size and answer.status == 409:
                raise WitnessFailed(
                    f"it cosigned another tree of {size} records of this log: two histories were signed"
                )
        if answer.status != 200:
            raise WitnessFailed(f"it answered {answer.status}: {_shown(answer.body)}")
        note = published.signed(self._place.directory, size)
        made = cosignature.verify_cosignature(note + answer.body, witness.key)
        # An empty line in the answer makes all before it the text that is cosigned: what is kept must be over ours.
        made = cosignature.verify_cosignature(note + made.line, witness.key)
        if abs(made.at - self._clock.now()) > SKEW:
            raise BadCosignature(f"its cosignature is of {made.at}: one of the two clocks is wrong")
        return made

    def _submit(self, witness: KnownWitness, old: int, size: int) -> Answer:
        submission = proving.prove_consistency(self._place, old, size)
        url = f"{witness.url.rstrip('/')}/add-checkpoint"
        return self._poster.post(url, submission.encode(), kind="text/plain", largest=LARGEST_ANSWER)

    def _keep(self, session: Session, witness: KnownWitness, size: int, made: Cosignature | None, error: str) -> None:
        now, name = self._clock.now(), witness.key.name
        row = session.get(WitnessProgress, name) or WitnessProgress(witness=name, tried_at=now)
        row.tried_at, row.error = now, error
        if made is not None:
            row.size, row.done_at = max(row.size, size), now
            if session.get(KeptCosignature, (size, name)) is None:
                session.add(KeptCosignature(size=size, witness=name, line=made.line, at=made.at))
        session.add(row)

    def _show(self) -> None:
        """Write what is kept and not yet shown beside the checkpoints."""
        with self._database.read() as session:
            waiting = select(KeptCosignature.size).where(col(KeptCosignature.shown_at).is_(None)).distinct()
            sizes = sorted(session.exec(waiting))
        for size in sizes:
            self._show_one(size)

    def _show_one(self, size: int) -> None:
        with self._beside.held():
            with self._database.read() as session:
                note, names = _assembled(session, size)
            # Before anything is written: a note that cannot be read is nowhere shown.
            enough = self._policy.is_quorum(self._policy.cosigned(note))
            for folder in self._beside.folders:
                self._beside.write(folder, f"{published.WITNESSED}/{size}", note)
                # A crash here leaves one copy without it: the next run writes both.
                if enough and size >= self._shown(folder):
                    self._beside.write(folder, published.COSIGNED, note)
            # A crash here leaves everything shown, but not said so: the next run finds the same files and says it.
            with self._database.write() as session:
                for name in names:
                    row = session.get_one(KeptCosignature, (size, name))
                    row.shown_at = self._clock.now()
                    session.add(row)

    def _shown(self, folder: Path) -> int:
        try:
            return checkpoint.parse_checkpoint(published.cosigned(folder)).size
        except UnknownTile:
            return 0


def progress(session: Session) -> Sequence[WitnessProgress]:
    """Return how far each witness is that was ever asked."""
    return session.exec(select(WitnessProgress).order_by(WitnessProgress.witness)).all()


def _assembled(session: Session, size: int) -> tuple[bytes, list[str]]:
    """Return our note of ``size`` with every line that is kept under it, and whose they are."""
    note = session.exec(select(LedgerCheckpoint.note).where(LedgerCheckpoint.size == size)).one()
    kept = select(KeptCosignature).where(KeptCosignature.size == size).order_by(KeptCosignature.witness)
    rows = session.exec(kept).all()
    return note + b"".join(row.line for row in rows), [row.witness for row in rows]


def _parse_size(body: bytes) -> int:
    text = body.removesuffix(b"\n")
    if not text.isdigit() or len(text) > 18 or (text[:1] == b"0" and text != b"0"):
        raise WitnessFailed(f"it answered 409 and no size: {_shown(body)}")
    return int(text)


def _shown(body: bytes) -> str:
    return clean(body.decode(errors="replace").strip(), 120)
