"""One certificate as the old authority's table tells of it, and what a reader found wrong. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.identity import Serial
from pki.reason import HOLD

GOOD, HELD, REVOKED = "good", "held", "revoked"

#: Most rows of a table, most octets of it, most characters of one of its cells.
MOST_ROWS, LARGEST, LONGEST = 500_000, 128 * 1024 * 1024, 4_096

#: Reasons by the code of RFC 5280, 5.3.1. A compromised authority (2, 10) took the key of the certificate with it as
#: far as anybody can tell: its own word is not given here, the graver of ours is.
REASONS = {
    0: "unspecified",
    1: "key-compromise",
    2: "key-compromise",
    3: "affiliation-changed",
    4: "superseded",
    5: "cessation-of-operation",
    6: HOLD,
    9: "privilege-withdrawn",
    10: "key-compromise",
}


@dataclass(frozen=True, slots=True)
class Row:
    """``place`` is file and line; ``at`` and ``reason`` are a revocation's; ``name`` is a user's, if the table has one.

    ``content`` is the certificate (DER), when the table holds it.
    """

    place: str
    serial: Serial
    state: str
    not_after: datetime | None
    at: datetime | None = None
    reason: str = ""
    name: str = ""
    profile: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Reading:
    """What was read; ``faults`` say where and what cannot be."""

    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Fault(ValueError):
    """What is wrong in one line."""


def serial(number: int) -> Serial:
    """Return a serial number; raises ``Fault`` beyond 1 to 20 octets (RFC 5280, 4.1.2.2)."""
    if not 0 < number < 1 << 159:
        raise Fault("the serial number is not between 1 and 20 octets")
    return Serial(f"{number:040x}")


def lines(text: str, most: int = MOST_ROWS) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers; raises ``Fault`` for more than ``most``."""
    for number, line in enumerate(text.split("\n"), 1):
        if number > most:
            raise Fault(f"there are more than {most} lines")
        yield number, line.removesuffix("\r")


def check_twice(reading: Reading) -> None:
    """Note each serial number that stands in a table twice: nobody can tell which of the two is true."""
    seen: dict[Serial, str] = {}
    for one in reading.rows:
        if one.serial in seen:
            reading.faults.append(f"{one.place}: the serial number {one.serial} stands in {seen[one.serial]} already")
        seen[one.serial] = one.place


def asn1_time(text: str) -> datetime:
    """Read a UTCTime or a GeneralizedTime in its DER form (RFC 5280, 4.1.2.5); raises ``Fault``."""
    if not re.fullmatch("(?:[0-9]{2})?[0-9]{12}Z", text, re.ASCII):
        raise Fault(f"`{text[:30]!a}` is no time of the form YYMMDDHHMMSSZ")
    if len(text) == 13:
        # From 50 on they are of the century before (RFC 5280, 4.1.2.5.1).
        text = ("19" if text >= "50" else "20") + text
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Fault(f"`{text}` is no day of the calendar") from error
