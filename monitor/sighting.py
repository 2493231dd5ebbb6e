"""What a sensor tells the centre: leaks it saw, windows in which it saw nothing, and the plan it watches by.

These shapes are the wire between the two; the same classes are used at both ends. Content of a document is never in
them: only the marking itself and a masked excerpt.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

#: Largest number that every store's integer column takes.
LARGEST = 2**31 - 1

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _bounded(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("a time between the years 2000 and 9000 is wanted")
    return moment


# No control character: what sensors read was chosen by whoever sent it, and not every store takes a NUL.
_PLAIN = r"^[^\x00-\x1f\x7f-\x9f]*$"
SightingId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._:-]{1,160}$")]
Word = Annotated[str, StringConstraints(max_length=80, pattern=_PLAIN)]
Address = Annotated[str, StringConstraints(max_length=45, pattern=_PLAIN)]
Place = Annotated[str, StringConstraints(max_length=255, pattern=_PLAIN)]
Moment = Annotated[AwareDatetime, AfterValidator(_bounded)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Leak(_Wire):
    """A marking above its domain's ceiling was on the wire.

    ``id`` comes from the place of the first alert in the EVE file, so reporting again changes nothing. A higher
    ``revision`` of the same id adds what was not known at first: the request, when its HTTP record came late.
    ``request_id`` and ``serial`` are what the headers of that very transaction said, empty when there was none or when
    a header was there twice. ``body_sha256`` is over the body as the sensor had it when the rule matched: that of the
    document itself when it was sent whole, unpacked and within the sensor's limit. ``confirmed`` is false when the body
    was not at hand and only the rule speaks.
    """

    type: Literal["monitor.leak.sighted"] = "monitor.leak.sighted"
    id: SightingId
    revision: int = Field(default=1, ge=1, le=100)
    sensor: Word
    at: Moment
    last: Moment
    sid: Count
    policy: Word = ""
    domain: Word
    marking: Word
    excerpt: Annotated[str, StringConstraints(max_length=120, pattern=_PLAIN)] = ""
    encoding: Word = ""
    body_sha256: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    confirmed: bool = True
    transaction: Word
    request_id: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32})?$")] = ""
    serial: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40})?$")] = ""
    direction: Word = ""
    source: Address = ""
    source_port: int = Field(default=0, ge=0, le=65535)
    destination: Address = ""
    destination_port: int = Field(default=0, ge=0, le=65535)
    host: Place = ""
    path: Place = ""
    hits: Count = 1


class Blind(_Wire):
    """The sensor did not see from ``at`` until ``until`` (still so when empty): unmonitored, never clean."""

    type: Literal["monitor.sensor.blind"] = "monitor.sensor.blind"
    id: SightingId
    revision: int = Field(default=1, ge=1, le=100)
    sensor: Word
    at: Moment
    until: Moment | None = None
    cause: Word
    dropped: Count = 0


Sighting = Annotated[Leak | Blind, Field(discriminator="type")]


class Watched(_Wire):
    """One domain in the plan; ``ceiling`` is a ``Classification``."""

    domain: Word
    ceiling: int = Field(ge=0, le=4)
    ranges: list[Word]


class Plan(_Wire):
    """What the centre wants a sensor to watch; ``policy`` names this version of it."""

    policy: Word
    domains: list[Watched]


class Centre(Protocol):
    """The way from a sensor to the centre."""

    def report(self, sightings: list[Leak | Blind]) -> None:
        """Return when the centre has committed all of them. Raises ``Unavailable``; then they are sent again."""
        ...

    def plan(self) -> Plan:
        """Return what to watch. Raises ``Unavailable``."""
        ...
