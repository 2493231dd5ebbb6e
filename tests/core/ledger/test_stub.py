import json

import pytest

from core.ledger import stub
from core.ledger.entry import Event, encode
from core.ledger.merkle import leaf_hash
from core.ledger.stub import Account, Stub
from tests.clock import ManualClock

BY = "ab" * 16


def record(kind: str, identifier: str = BY, **details: object) -> bytes:
    return encode(Event(kind, "li", "log:records", details=details), identifier=identifier, at=ManualClock().now())  # type: ignore[arg-type]  # JSON


def test_a_stub_is_canonical_and_read_back() -> None:
    made = Stub(leaf_hash(b"a record"), BY)
    said = json.loads(made.content())
    assert said == {"v": 1, "purged": True, "leaf": leaf_hash(b"a record").hex(), "by": BY}
    assert json.dumps(said, sort_keys=True, separators=(",", ":")).encode() == made.content()
    assert stub.parse_stub(made.content()) == made
    assert stub.leaf_of(made.content()) == leaf_hash(b"a record")


@pytest.mark.parametrize(
    "entry",
    [
        record("test.thing.made", purged=True, leaf="00" * 32, by=BY, v=1),
        Stub(b"\0" * 32, BY).content() + b" ",
        Stub(b"\0" * 32, BY).content().replace(b"ab", b"AB"),
        Stub(b"\0" * 31, BY).content(),
        b'{"by":"%b","leaf":"%b","purged":true,"v":2}' % (BY.encode(), b"00" * 32),
        b"",
    ],
)
def test_what_only_looks_like_a_stub_is_none(entry: bytes) -> None:
    assert stub.parse_stub(entry) is None
    assert stub.leaf_of(entry) == leaf_hash(entry)


def test_ranges() -> None:
    ranges = stub.ranges_of([0, 1, 2, 5, 7, 8])
    assert ranges == [(0, 2), (5, 5), (7, 8)]
    assert list(stub.numbers_in(ranges)) == [0, 1, 2, 5, 7, 8]
    assert stub.parse_ranges([[0, 2], [5, 5], [7, 8]]) == ranges
    assert stub.parse_ranges([]) == []


@pytest.mark.parametrize(
    "value",
    [
        "0-2",
        None,
        7,
        [[0]],
        [[0, 1, 2]],
        [["0", "1"]],
        [[2, 1]],
        [[0, 2], [2, 3]],
        [[5, 6], [1, 2]],
        [[-1, 0]],
        [[True, 2]],
    ],
)
def test_hostile_ranges(value: object) -> None:
    with pytest.raises(ValueError, match="range"):
        stub.parse_ranges(value)  # type: ignore[arg-type]  # hostile


def see(*entries: bytes) -> list[int]:
    account = Account()
    for number, entry in enumerate(entries):
        account.see(number, entry)
    return account.unnamed()


def test_a_stub_counts_only_with_a_later_record_that_names_its_number() -> None:
    one = Stub(leaf_hash(b"a record"), BY).content()
    named = record("ledger.records.purged", numbers=[[0, 0]])
    assert see(one, named) == []
    assert see(one) == [0]
    assert see(named, one) == [1], "named before it was there"
    assert see(one, record("ledger.records.purged", numbers=[[1, 5]])) == [0]
    assert see(one, record("ledger.records.purged", identifier="cd" * 16, numbers=[[0, 0]])) == [0]
    assert see(one, record("test.thing.made", word="ledger.records.purged", numbers=[[0, 0]])) == [0]
