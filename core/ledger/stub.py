"""What stands in the place of a purged record: its leaf hash, and which record says that it was purged.

Pure: functions of values. The tree is over leaf hashes, so a stub changes neither tile nor root nor checkpoint. A stub
proves nothing by itself: it counts only when a later record of the same log names its number (``RECORDS_PURGED``).
"""

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.ledger.entry import JsonValue, read_fields
from core.ledger.merkle import leaf_hash

#: A record of this type names the numbers that were purged; it is never purged itself.
RECORDS_PURGED = "ledger.records.purged"

#: What a row of the store says in place of the type and the time of a purged record: it keeps neither.
STUB_TYPE = "purged"
STUB_TIME = datetime(1970, 1, 1, tzinfo=UTC)

#: Canonical JSON (RFC 8785), so there is one text for one stub. No record looks so: a record begins with its actor.
_FORM = re.compile(rb'\{"by":"([0-9a-f]{32})","leaf":"([0-9a-f]{64})","purged":true,"v":1\}')

#: Inclusive ranges of record numbers, ascending and apart.
Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Stub:
    """``leaf`` is the 32 octets of the record's leaf hash (RFC 9162, 2.1.1), ``by`` the id of the purge's record."""

    leaf: bytes
    by: str

    def content(self) -> bytes:
        """Return the entry that stands in the record's place."""
        return b'{"by":"%b","leaf":"%b","purged":true,"v":1}' % (self.by.encode(), self.leaf.hex().encode())


def parse_stub(entry: bytes) -> Stub | None:
    """Return the stub that ``entry`` is, or nothing when it is a record."""
    found = _FORM.fullmatch(entry)
    return Stub(bytes.fromhex(found[2].decode()), found[1].decode()) if found else None


def leaf_of(entry: bytes) -> bytes:
    """Return the leaf hash of an entry of the log; that of a stub is the one of the record it stands for."""
    stub = parse_stub(entry)
    return leaf_hash(entry) if stub is None else stub.leaf


def ranges_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return ascending ``numbers`` as inclusive ranges."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def is_in(ranges: Ranges, number: int) -> bool:
    """Whether ``number`` is one of ``ranges``; a range may be longer than anybody could go through."""
    place = bisect.bisect_right(ranges, number, key=lambda pair: pair[0])
    return place > 0 and number <= ranges[place - 1][1]


def parse_ranges(value: JsonValue) -> list[tuple[int, int]]:
    """Read the ranges in a purge's record. Raises ``ValueError`` unless they are whole, ascending and apart."""
    pairs = value if isinstance(value, Sequence) and not isinstance(value, str) else [None]
    ranges: list[tuple[int, int]] = []
    for pair in pairs:
        whole = isinstance(pair, Sequence) and len(pair) == 2 and all(type(one) is int for one in pair)
        if not whole:
            raise ValueError("a range of record numbers has a first and a last number")
        first, last = (int(str(one)) for one in pair)  # type: ignore[union-attr]  # whole: two integers
        if not (ranges[-1][1] if ranges else -1) < first <= last:
            raise ValueError("ranges of record numbers are not ascending")
        ranges.append((first, last))
    return ranges


@dataclass
class Account:
    """Goes through a log from its beginning and holds stubs against the records that purged them."""

    #: By the id of the purge's record: the numbers of the stubs that name it and are not accounted for.
    open: dict[str, set[int]] = field(default_factory=dict)
    _settled: set[str] = field(default_factory=set)

    def see(self, number: int, entry: bytes) -> None:
        """Take the next entry. Raises ``ValueError`` for a purge's record that cannot be read."""
        stub = parse_stub(entry)
        if stub is not None:
            self.open.setdefault(stub.by, set()).add(number)
        elif RECORDS_PURGED.encode() in entry:
            said = read_fields(entry)
            if said.get("type") == RECORDS_PURGED and str(said.get("id")) in self.open:
                self._settle(str(said["id"]), said.get("details"))

    def _settle(self, identifier: str, details: JsonValue) -> None:
        """Account for what a record names, once: another one of its id says nothing more."""
        ranges = parse_ranges(details.get("numbers") if isinstance(details, Mapping) else None)
        if identifier in self._settled:
            return
        self._settled.add(identifier)
        self.open[identifier] = {number for number in self.open[identifier] if not is_in(ranges, number)}
        if not self.open[identifier]:
            del self.open[identifier]

    def unnamed(self) -> list[int]:
        """Return the numbers of the stubs that no later record names, ascending."""
        return sorted(number for numbers in self.open.values() for number in numbers)
