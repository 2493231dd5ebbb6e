"""The time, handed in: nobody asks the machine for it but ``SystemClock``."""

from datetime import UTC, datetime
from typing import Annotated, Protocol

from pydantic import AfterValidator, AwareDatetime

#: What somebody may give as a time. A calendar of four digits has a margin left for what is added to it.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9900, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the time in UTC."""

    def now(self) -> datetime:
        """Return an aware datetime in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


def to_rfc3339(moment: datetime) -> str:
    """Print ``moment`` in UTC with milliseconds, as every record of ours does (RFC 3339)."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def as_recorded(moment: datetime) -> datetime:
    """Return ``moment`` as it is read back once it was printed: in UTC, whole milliseconds."""
    return from_rfc3339(to_rfc3339(moment))


def from_rfc3339(text: str) -> datetime:
    """Read what ``to_rfc3339`` printed. Raises ``ValueError``, also when ``text`` carries no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"`{text}` has no offset from UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"`{text}` lies beyond the calendar in UTC") from error


def bounded(moment: datetime) -> datetime:
    """Return a time that somebody gave, in UTC. Raises ``ValueError`` beyond ``EARLIEST`` and ``LATEST``."""
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"a time between the years {EARLIEST.year} and {LATEST.year} is wanted")
    return moment.astimezone(UTC)


def parse_given(text: str) -> datetime:
    """Read a time that somebody gave: as ``from_rfc3339``, and within bounds. Raises ``ValueError``."""
    return bounded(from_rfc3339(text))


#: A time that somebody gives in a request.
Given = Annotated[AwareDatetime, AfterValidator(bounded)]
