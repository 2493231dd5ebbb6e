import json
import time

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
    assert [number for number in range(-1, 12) if stub.is_in(ranges, number)] == [0, 1, 2, 5, 7, 8]
    assert not stub.is_in([], 0)
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


def test_ranges_without_end_and_countless_records_take_no_longer() -> None:
    """Each stub is looked up once, whatever a hostile log says."""
    one, whole = Stub(leaf_hash(b"a record"), BY).content(), Account()
    other = Account()
    for number in range(20_000):
        whole.see(number, one)
        other.see(number, one)
    begun = time.monotonic()
    whole.see(20_000, record("ledger.records.purged", numbers=[[0, 2**53 - 1]]))
    assert whole.unnamed() == []
    ranges = [[40_000 + 2 * number, 40_000 + 2 * number] for number in range(4_000)]
    for number in range(20_000, 20_020):
        other.see(number, record("ledger.records.purged", numbers=ranges))
    assert len(other.unnamed()) == 20_000
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "entry",
    [
        b'{"type":"ledger.records.purged","x":' + b"[" * 60_000,
        b'["ledger.records.purged"]',
        b'"ledger.records.purged"',
        b"ledger.records.purged",
        b'{"type":"ledger.records.purged","id":"%b"}' % BY.encode(),
        b'{"type":"ledger.records.purged","id":"%b","details":[]}' % BY.encode(),
        b'{"type":"ledger.records.purged","id":"%b","details":{"numbers":[[0,%b]]}}' % (BY.encode(), b"9" * 5_000),
        b'{"type":"ledger.records.purged","id":"%b","details":{"numbers":[[0,1.5]]}}' % BY.encode(),
    ],
)
def test_a_purge_that_cannot_be_read_is_an_error(entry: bytes) -> None:
    account = Account()
    account.see(0, Stub(leaf_hash(b"a record"), BY).content())
    with pytest.raises(ValueError, match=r"."):
        account.see(1, entry)
    assert account.unnamed() == [0]
