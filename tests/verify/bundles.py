"""Bundles for the tests: made by the product over a real store, read and damaged by the test alone."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import SQLModel

import guosuo_verify
from core.database import Database
from core.ledger import bundle, checkpoint, evidence
from core.ledger.entry import Event
from core.ledger.place import LedgerPlace
from core.ledger.sequencer import BUNDLE_EXPORTED
from tests.clock import ManualClock
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import ORIGIN, Log

Members = dict[str, bytes]

#: When the auditor looks, in every test.
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def place_of(log: Log, signer: checkpoint.CheckpointSigner | None = None) -> LedgerPlace:
    return LedgerPlace(log.directory, checkpoint.verifier_key(ORIGIN, signer or MemoryCheckpointSigner()), log.root)


@dataclass
class Teller:
    """Appends events one by one, so that checkpoints lie between them, and packs the bundle."""

    database: Database
    clock: ManualClock
    root: Path

    def __post_init__(self) -> None:
        self.log = Log(self.database, self.clock, self.root)
        self.sequencer = self.log.sequencer()

    def tell(self, events: Sequence[Event], *, step: int = 5) -> None:
        for start in range(0, len(events), step):
            for event in events[start : start + step]:
                with self.database.write() as session:
                    evidence.append(session, event, at=self.clock.now())
                self.clock.advance(seconds=1)
            self.sequencer.run_once()

    def export(self, path: Path) -> str:
        """Close the log, write its bundle to ``path`` and return the fingerprint."""
        self.tell([Event(BUNDLE_EXPORTED, "sun-jing", f"log:{ORIGIN}")])
        place = place_of(self.log)
        with self.database.read() as session:
            size = session.connection().exec_driver_sql("select count(*) from evidence").scalar_one()
        with path.open("wb") as out:
            bundle.write_bundle(place, size, out)
        return place.fingerprint


def read(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def write(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def verify(path: Path, fingerprint: str, known: bytes | None = None) -> guosuo_verify.Report:
    return guosuo_verify.verify(str(path), fingerprint, known=known, now=NOW)


def failures(report: guosuo_verify.Report) -> dict[str, list[str]]:
    return {check.name: check.faults for check in report.checks if check.faults}


def opened(root: Path, clock: ManualClock | None = None) -> Teller:
    """A teller over an SQLite store of its own."""
    database = Database(f"sqlite:///{root}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    return Teller(database, clock or ManualClock(), root)


def told(root: Path, events: Sequence[Event], *, step: int = 5) -> tuple[Path, str]:
    """Return the bundle and fingerprint of a log of ``events``."""
    teller = opened(root)
    teller.tell(events, step=step)
    fingerprint = teller.export(root / "evidence.zip")
    teller.database.close()
    return root / "evidence.zip", fingerprint
