"""Who holds what, and which profile of ours stands for which of theirs, where their names do not say it. Pure.

A CSV file with the columns ``what,is``: ``serial:HEX`` or ``name:TEXT`` (a user's name, or a common name) is
``person:ID``, ``gateway:ID``, ``sensor:ID``, ``application:ID``, ``service:ID`` or ``-`` (nobody: it does not come
over); ``profile:TEXT`` is the name of a profile of ours.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import Malformed
from core.identity import Serial, SubjectKind
from pki.takeover import row
from pki.takeover.row import Fault

#: What stands for nobody.
NOBODY = "-"

_KINDS = {kind.value for kind in SubjectKind if kind is not SubjectKind.BOOTSTRAP}

#: A certificate of no profile of ours.
FOREIGN = "taken-over"


@dataclass(frozen=True, slots=True)
class Mapped:
    """What the file says; a holder is ``kind:id`` or ``-``."""

    serials: Mapping[Serial, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)

    def holder(self, serial: Serial, names: tuple[str, ...]) -> str:
        """Return who holds a certificate: by its number, else by the first of its names; empty when nothing is said."""
        if serial in self.serials:
            return self.serials[serial]
        return next((self.names[name] for name in names if name in self.names), "")

    def profile(self, theirs: str) -> str:
        """Return our name for a profile of theirs, or the word for none."""
        return self.profiles.get(theirs, FOREIGN)


def parse(text: str, place: str) -> Mapped:
    """Read a mapping file. Raises ``Malformed`` naming the first faulty line."""
    found: tuple[dict[Serial, str], dict[str, str], dict[str, str]] = ({}, {}, {})
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        if [cell.strip() for cell in next(rows, [])] != ["what", "is"]:
            raise Fault("the first line is `what,is`")
        for cells in rows:
            if cells:
                _enter(cells, found)
            if rows.line_num > row.MOST_ROWS:
                raise Fault(f"more than {row.MOST_ROWS} lines")
    except (Fault, csv.Error) as error:
        raise Malformed(f"`{place}` line {rows.line_num}: {error}") from error
    return Mapped(*found)


def _enter(cells: list[str], found: tuple[dict[Serial, str], dict[str, str], dict[str, str]]) -> None:
    if len(cells) != 2 or any(len(cell) > 200 or not cell.isprintable() for cell in cells):
        raise Fault("two cells are wanted, of at most 200 characters that can be printed")
    kind, _colon, what = cells[0].strip().partition(":")
    value, serials, names, profiles = cells[1].strip(), *found
    if kind == "profile":
        if not re.fullmatch("[a-z][a-z0-9-]{0,39}", value):
            raise Fault(f"`{value[:45]}` is no name of a profile")
        _once(profiles, what, value)
        return
    if value != NOBODY and (value.partition(":")[0] not in _KINDS or not 0 < len(value.partition(":")[2]) <= 80):
        raise Fault(f"`{value[:80]}` is no holder")
    if kind == "serial" and re.fullmatch("[0-9A-Fa-f]{1,40}", what):
        _once(serials, row.serial(int(what, 16)), value)
    elif kind == "name" and what:
        _once(names, what, value)
    else:
        raise Fault(f"`{cells[0][:80]}` is neither serial:HEX nor name:TEXT nor profile:TEXT")


def _once(table: dict[Serial, str] | dict[str, str], what: str, value: str) -> None:
    if table.setdefault(what, value) != value:  # type: ignore[arg-type]  # a serial number is a text
        raise Fault(f"`{what}` is said twice, in two ways")
