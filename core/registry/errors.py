"""Errors of the register."""

from dataclasses import dataclass

from core.errors import Conflict, NotFound, Rejected


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a province file: its line (from 1) and what it is, in the user's words."""

    line: int
    message: str

    def __str__(self) -> str:
        """Print as ``line 12: …``."""
        return f"line {self.line}: {self.message}"


class RegisterRejected(Rejected):
    """A province file is refused whole; ``faults`` names everything that is wrong in it."""

    reason = "register-rejected"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Keep the faults in the order of their lines."""
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        word = "fault" if len(faults) == 1 else "faults"
        super().__init__(
            f"the file has {len(faults)} {word}, nothing was loaded:\n{lines}", hint="mend the lines named"
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
