"""A witness and a time-stamp authority for a site: our own log, watched by a witness whose memory is the same store."""

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from sqlmodel import select

from core.clock import Clock, SystemClock
from core.database import Database
from core.jobs import Job
from core.ledger import checkpoint, published, timestamp
from core.ledger import jobs as ledger_jobs
from core.ledger.checkpoint import COSIGNER_KEY, parse_verifier_key
from core.ledger.errors import StaleSize
from core.ledger.models import KeptCosignature, TimestampToken, WitnessedLog, WitnessProgress
from core.ledger.outward import Answer
from core.ledger.place import LedgerPlace
from core.ledger.timestamping import Timestamping
from core.ledger.trustpolicy import parse_policy
from core.ledger.witness import Witness
from core.ledger.witnessing import Witnessing
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.services import tsa

NAME = "witness.nanling.example/w1"
SIGNER = MemoryCheckpointSigner(b"a witness")
KEY = checkpoint.verifier_key(NAME, SIGNER, COSIGNER_KEY)


class Near:
    """Hands a submission to the witness in this process."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def post(self, url: str, body: bytes, *, kind: str, largest: int) -> Answer:
        try:
            return Answer(200, "text/plain", self._witness.add_checkpoint(body))
        except StaleSize as stale:
            return Answer(409, "text/x.tlog.size", f"{stale.size}\n".encode())


class Stamper:
    """Hands a question to the authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def post(self, url: str, body: bytes, *, kind: str, largest: int) -> Answer:
        return Answer(200, timestamp.REPLY, tsa.reply(self._folder, body))


def ask(folder: Path) -> None:
    """From now on the site's log is witnessed and stamped, also by its jobs."""
    if not is_asked(folder):
        tsa.Authority(folder / "tsa")


def is_asked(folder: Path) -> bool:
    return (folder / "tsa" / "tsa.cnf").exists()


def jobs(folder: Path, database: Database, clock: Clock, vkey: str) -> list[Job]:
    made = witnessing(folder, database, clock, vkey)
    stamped = ledger_jobs.timestamp_job(stamping(folder, database, vkey))
    return [ledger_jobs.witness_job(made, every=timedelta(seconds=1)), stamped]


def witnessing(folder: Path, database: Database, clock: Clock, vkey: str) -> Witnessing:
    logs = [parse_verifier_key(vkey)]
    text = f"log {vkey}\nwitness W {KEY} near:\nquorum W\n"
    return Witnessing(
        database=database,
        clock=clock,
        place=LedgerPlace(folder / "ledger", parse_verifier_key(vkey)),
        mirror=folder / "mirror",
        policy=parse_policy(text.encode()),
        poster=Near(Witness(database=database, clock=clock, signer=SIGNER, name=NAME, logs=logs)),
    )


def stamping(folder: Path, database: Database, vkey: str) -> Timestamping:
    return Timestamping(
        database=database,
        clock=SystemClock(),
        directory=folder / "ledger",
        mirror=folder / "mirror",
        urls=["near:"],
        roots=_roots(folder),
        every=timedelta(hours=1),
        poster=Stamper(folder / "tsa"),
    )


def check(folder: Path, database: Database, vkey: str) -> None:
    """Whatever was kept is shown in both places and verifies; the witness is never behind what it gave its word for."""
    log, mirror = folder / "ledger", folder / "mirror"
    policy = witnessing(folder, database, SystemClock(), vkey).policy
    with database.read() as session:
        kept = session.exec(select(KeptCosignature)).all()
        stamps = session.exec(select(TimestampToken)).all()
        seen = session.exec(select(WitnessedLog)).one_or_none()
        progress = session.exec(select(WitnessProgress)).one_or_none()
        session.expunge_all()
    assert all(row.shown_at for row in [*kept, *stamps])
    notes = published.witnessed(log)
    assert set(notes) == {row.size for row in kept}
    assert notes == published.witnessed(mirror)
    for size, note in notes.items():
        assert policy.verify(note) == [b"W"]
        assert note.startswith(published.signed(log, size))
    if notes:
        assert seen is not None
        assert progress is not None
        assert (seen.size, progress.error) == (max(notes), "")
        assert published.cosigned(log) == published.cosigned(mirror) == notes[max(notes)]
    tokens = published.tokens(log)
    assert tokens == published.tokens(mirror) == {row.size: row.token for row in stamps}
    for size, token in tokens.items():
        note = published.signed(log, size)
        timestamp.verify_answer(token, note=note, roots=_roots(folder), nonce=None)


def _roots(folder: Path) -> list[x509.Certificate]:
    return timestamp.read_roots((folder / "tsa" / "root.pem").read_bytes())
