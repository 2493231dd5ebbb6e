"""An installation as far as witnessing goes: a log, a witness of others, and what has the log witnessed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI

from core.database import Database
from core.ledger import checkpoint, witness_api
from core.ledger.checkpoint import COSIGNER_KEY, CheckpointSigner, VerifierKey
from core.ledger.outward import Poster
from core.ledger.place import LedgerPlace
from core.ledger.storage import Writer
from core.ledger.trustpolicy import parse_policy
from core.ledger.witness import Witness
from core.ledger.witnessing import Witnessing
from core.pace import Pace
from core.web import BodyLimit, install_error_handlers
from deploy.outward import HttpPoster
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import ORIGIN, Log

WITNESS = "witness.nanling.example/w1"
SIGNER = MemoryCheckpointSigner(b"a witness")
WITNESS_KEY = checkpoint.verifier_key(WITNESS, SIGNER, COSIGNER_KEY)
LOG_KEY = checkpoint.verifier_key(ORIGIN, MemoryCheckpointSigner())


def witness_of(
    log: Log,
    *,
    database: Database | None = None,
    logs: Iterable[VerifierKey] = (LOG_KEY,),
    signer: CheckpointSigner = SIGNER,
    name: str = WITNESS,
) -> Witness:
    """A witness over the store of ``log``."""
    return Witness(database=database or log.database, clock=log.clock, signer=signer, name=name, logs=logs)


def application(log: Log, witness: Witness, *, most: int = 100_000) -> BodyLimit:
    """The public part of the interface: submissions."""
    app = FastAPI()
    app.state.provided = {Witness: witness, Pace: Pace(clock=log.clock, most=most, within=timedelta(seconds=30))}
    app.include_router(witness_api.submission)
    install_error_handlers(app)
    return BodyLimit(app)


@dataclass(frozen=True)
class Party:
    """One witness as a trust policy names it."""

    name: str
    key: VerifierKey
    url: str


def policy_text(parties: Sequence[Party], quorum: str = "all") -> bytes:
    lines = [f"log {LOG_KEY}", *(f"witness {one.name} {one.key} {one.url}" for one in parties)]
    members = " ".join(one.name for one in parties)
    return "\n".join([*lines, f"group everybody {quorum} {members}", "quorum everybody", ""]).encode()


def witnessing(
    log: Log,
    parties: Sequence[Party],
    *,
    quorum: str = "all",
    database: Database | None = None,
    poster: Poster | None = None,
    writer: Writer | None = None,
    place: LedgerPlace | None = None,
) -> Witnessing:
    return Witnessing(
        database=database or log.database,
        clock=log.clock,
        place=place or LedgerPlace(log.directory, LOG_KEY),
        mirror=log.mirror,
        policy=parse_policy(policy_text(parties, quorum)),
        poster=poster or HttpPoster(),
        writer=writer,
    )
