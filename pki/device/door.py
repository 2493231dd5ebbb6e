"""What every protocol of machines has in common at its edge: how much is asked, and that refusals are on record."""

from dataclasses import dataclass

from core.clock import Clock
from core.database import Database
from core.errors import TrustError, Unavailable
from core.ledger import evidence
from core.ledger.entry import Event
from core.pace import Pace
from pki.device import events
from pki.device.asker import Asker
from pki.device.errors import TooMany


@dataclass(frozen=True, slots=True)
class Door:
    """``requests`` counts by address, ``refusals`` those of whoever is not known: these would fill the evidence."""

    database: Database
    clock: Clock
    requests: Pace
    refusals: Pace

    def admit(self, address: str) -> None:
        """Raise ``TooMany`` for whoever asks too often."""
        if not self.requests.admits(address):
            raise TooMany("too many requests from this address", hint="come back in a minute")

    def record(self, protocol: str, asked: str, error: TrustError, asker: Asker | None) -> TrustError:
        """Put a refusal on record, and return what to answer: it, or why it could not be recorded."""
        if isinstance(error, Unavailable):
            # That somebody asks too often, or that a part does not answer.
            return error
        if asker is None and not self.refusals.admits(""):
            return TooMany("too many requests that are refused", hint="come back in a minute")
        holder, domain = (asker.holder.identifier, asker.holder.domain) if asker else ("", "")
        event = events.refused(protocol, asked, error.word, error.detail, holder=holder, domain=domain)
        try:
            self.append(event)
        except TrustError as failed:
            return failed
        return error

    def append(self, event: Event) -> None:
        """Put on record what changes nothing else."""
        with self.database.write() as session:
            evidence.append(session, event, at=self.clock.now())
        # A crash here leaves a record of a refusal, or of a key, that nobody was told or got: asking again is recorded
        # again.
