"""What one person said on a proposal: one signed act. Pure."""

from dataclasses import dataclass
from datetime import datetime

from core.signed import SignedAct


@dataclass(frozen=True, slots=True)
class Word:
    """What one person said in one signed act, and the certificate (serial number) they said it with."""

    proof: SignedAct
    serial: str
    comment: str
    at: datetime

    @property
    def person(self) -> str:
        """Return who said it."""
        return self.proof.statement.person
