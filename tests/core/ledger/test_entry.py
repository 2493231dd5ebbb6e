"""A record has one form, or is refused before anything is stored."""

import json
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

import guosuo_verify
from core.database import Database
from core.errors import Malformed
from core.ledger import evidence
from core.ledger.entry import MAXIMUM_OCTETS, Event, JsonValue, encode
from core.ledger.models import EvidenceRow
from tests.clock import ManualClock

AT = datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC)


def test_the_exact_octets() -> None:
    event = Event("a.b", "李文", "x:1", "d", "refused", {"z": [1, None, True], "a": {"\u20ac": '"\\\n\x01'}})
    content = encode(event, identifier="0" * 32, at=AT.astimezone(timezone(timedelta(hours=8))))
    assert content.decode() == (
        '{"actor":"李文","at":"2026-11-20T08:00:00.123Z","details":{"a":{"€":"\\"\\\\\\n\\u0001"},"z":[1,null,true]},'
        '"domain":"d","id":"00000000000000000000000000000000","object":"x:1","result":"refused","type":"a.b","v":1}'
    )
    assert guosuo_verify.parse_record(0, content).actor == "李文"


def test_the_largest_record_and_one_octet_more() -> None:
    empty = len(encode(Event("a.b", "li", "x:1", details={"a": ""}), identifier="0" * 32, at=AT))
    room = MAXIMUM_OCTETS - empty
    assert len(encode(Event("a.b", "li", "x:1", details={"a": "x" * room}), identifier="0" * 32, at=AT)) == 65_535
    with pytest.raises(Malformed, match="65536 octets is larger"):
        encode(Event("a.b", "li", "x:1", details={"a": "x" * (room + 1)}), identifier="0" * 32, at=AT)


#: Names whose order in UTF-16 is not that of their characters, and texts with everything that is escaped.
ODD = st.sampled_from('\U0001f600\uffee"\\\x00\x1f\x7f\u2028')
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | ODD)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_the_octets_are_those_of_rfc_8785(details: dict[str, JsonValue]) -> None:
    content = encode(Event("a.b", "li", "x:1", details=details), identifier="0" * 32, at=AT)
    assert content == rfc8785.dumps(json.loads(content))
    assert json.loads(content)["details"] == details


class Word(StrEnum):
    SOME = "some"


class Count(IntEnum):
    TWO = 2


def test_what_is_more_than_a_text_or_number_is_written_as_one() -> None:
    details: dict[str, JsonValue] = {Word.SOME: [Word.SOME, Count.TWO, True], "t": (1, "x"), "m": MappingProxyType({})}
    content = encode(Event("a.b", "li", "x:1", details=details), identifier="0" * 32, at=AT)
    assert b'"details":{"m":{},"some":["some",2,true],"t":[1,"x"]}' in content


def test_deeper_than_the_quick_way_goes() -> None:
    details: dict[str, JsonValue] = {}
    for _ in range(300):
        details = {"a": details}
    content = encode(Event("a.b", "li", "x:1", details=details), identifier="0" * 32, at=AT)
    assert content.count(b'{"a":') == 300


BAD: dict[str, Event] = {
    "type without a dot": Event("made", "li", "x:1"),
    "type in capitals": Event("A.b", "li", "x:1"),
    "other result": Event("a.b", "li", "x:1", result="perhaps"),
    "long actor": Event("a.b", "l" * 121, "x:1"),
    "long object": Event("a.b", "li", "x" * 201),
    "long domain": Event("a.b", "li", "x:1", "d" * 81),
    "long type": Event("a." + "b" * 80, "li", "x:1"),
    "NUL": Event("a.b", "l\0i", "x:1"),
    "fraction": Event("a.b", "li", "x:1", details={"n": 1.5}),  # type: ignore[dict-item]
    "octets": Event("a.b", "li", "x:1", details={"n": [b"x"]}),  # type: ignore[list-item]
    "huge number": Event("a.b", "li", "x:1", details={"n": 2**53}),
    "moment": Event("a.b", "li", "x:1", details={"n": AT}),  # type: ignore[dict-item]
    "number as a name": Event("a.b", "li", "x:1", details={1: "x"}),  # type: ignore[dict-item]
    "lone surrogate in a name": Event("a.b", "li", "x:1", details={"\ud800": 1}),
    "lone surrogate": Event("a.b", "li", "x:1", details={"n": "\ud800"}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_record_is_refused_and_leaves_nothing(name: str, database: Database, clock: ManualClock) -> None:
    with pytest.raises(Malformed), database.write() as session:
        evidence.append(session, BAD[name], at=clock.now())
    with database.read() as session:
        assert session.get(EvidenceRow, 1) is None


def test_what_is_stored_is_what_is_read_back(database: Database, clock: ManualClock) -> None:
    event = Event("a.b", "李" * 120, "物" * 200, "域" * 80, details={"level": 3})
    with database.write() as session:
        identifier = evidence.append(session, event, at=clock.now())
    with database.read() as session:
        row = session.get_one(EvidenceRow, 1)
    assert (row.identifier, row.actor, row.object, row.domain) == (identifier, event.actor, event.object, event.domain)
    assert json.loads(row.content)["details"] == {"level": 3}
