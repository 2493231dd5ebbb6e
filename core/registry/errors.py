"""Errors of the register."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Conflict, NotFound, Rejected

#: How many faults are printed; the rest is counted.
_MOST = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file: its line (from 1; 0 when none of its lines is to blame), what, and what to do.

    ``field`` is the field's name where one is to blame; all in the user's words.
    """

    line: int
    message: str
    field: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Print as ``line 12: …``."""
        return f"line {self.line}: {self.message}" + (f" → {self.hint}" if self.hint else "")


class RegisterRejected(Rejected):
    """A file is refused whole; ``faults`` names everything that is wrong in it."""

    reason = "register-rejected"

    def __init__(self, faults: Sequence[Fault], *, word: str = "") -> None:
        """Keep the faults in the order of their lines; ``word`` says more than the class does."""
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        lines = "\n".join(f"  {fault}" for fault in self.faults[:_MOST])
        more = f"\n  and {len(faults) - _MOST} more" if len(faults) > _MOST else ""
        count = "fault" if len(faults) == 1 else "faults"
        super().__init__(
            f"the file has {len(faults)} {count}, nothing was loaded:\n{lines}{more}",
            hint="mend the lines named",
            reason=word,
        )


class NotInRegister(NotFound):
    """The register has no such entry."""

    reason = "not-in-register"


class SeparationOfDuties(Rejected):
    """Two offices that exclude each other would be in one hand."""

    reason = "separation-of-duties"


class NoOfficer(Conflict):
    """A post that answers for something is held by nobody at that time."""

    reason = "no-officer"


class StillReferred(Conflict):
    """Something cannot end while others rest on it."""

    reason = "still-referred"


class BadHandover(Rejected):
    """A post cannot change hands like this."""

    reason = "bad-handover"


class BadAgreement(Rejected):
    """An agreement cannot be signed or ended like this."""

    reason = "bad-agreement"


class HasLeft(Rejected):
    """The person has left: nothing is given to them, issued to them or done by them any more."""

    reason = "has-left"


class NoSuccessor(Rejected):
    """A post would be held by nobody."""

    reason = "no-successor"


class UnfitSuccessor(Rejected):
    """Whoever is to follow cannot: gone, suspended, or the leaver."""

    reason = "unfit-successor"


class LastAdministrator(Rejected):
    """The site would be without one of the three administrators."""

    reason = "last-administrator"


class StillHeld(Conflict):
    """Something came to the person while they were leaving."""

    reason = "still-held"
