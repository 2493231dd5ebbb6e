"""A log for the tests: a store, a directory, a mirror, and the sequencer over them."""

from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.database import Database
from core.ledger import checkpoint, evidence
from core.ledger.entry import Event
from core.ledger.sequencer import PATIENCE, Sequencer
from core.ledger.storage import Writer
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.ledger_check import check_folder, check_ledger

ORIGIN = "evidence.beichen.example/sample"


@dataclass
class Log:
    database: Database
    clock: Clock
    root: Path

    @property
    def directory(self) -> Path:
        return self.root / "ledger"

    @property
    def mirror(self) -> Path:
        return self.root / "mirror"

    @property
    def vkey(self) -> str:
        return str(checkpoint.verifier_key(ORIGIN, MemoryCheckpointSigner()))

    def sequencer(
        self,
        *,
        owner: str = "one",
        writer: Writer | None = None,
        signer: checkpoint.CheckpointSigner | None = None,
        database: Database | None = None,
        patience: float = PATIENCE,
    ) -> Sequencer:
        return Sequencer(
            database=database or self.database,
            clock=self.clock,
            directory=self.directory,
            origin=ORIGIN,
            signer=signer or MemoryCheckpointSigner(),
            owner=owner,
            mirror=self.mirror,
            writer=writer,
            patience=patience,
        )

    def append(self, count: int = 1, *, kind: str = "test.thing.made") -> list[str]:
        with self.database.write() as session:
            return [
                evidence.append(
                    session, Event(kind, "li", f"thing:{number}", details={"n": number}), at=self.clock.now()
                )
                for number in range(count)
            ]

    def check(self, *, complete: bool = True) -> int:
        """Check the log and, by itself, the mirror."""
        size = check_ledger(self.database, self.directory, self.vkey, complete=complete)
        entries, _ = check_folder(self.mirror, self.vkey)
        assert not complete or len(entries) == size
        return size
