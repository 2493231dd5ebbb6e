"""Alerts joined with their transactions: either order, late, forged, doubled; nothing is told that was not seen."""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.registry.level import Classification
from monitor import rules
from monitor.join import MEMORY, PATIENCE, SETTLE, Joiner
from monitor.reader import Batch, Bookmark, Line, Reader
from monitor.rules import Boundary
from monitor.sighting import Blind, Leak
from monitor.spool import Spool

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC).timestamp()
REQUEST, SERIAL = "0" * 31 + "1", "01" * 20
GATEWAY = {"X-Guosuo-Request": REQUEST, "X-Guosuo-Serial": SERIAL}


def alert(text: str | bytes = "机密★10年", *, flow: int = 1, tx: int | None = 0, second: int = 0, **more: Any) -> bytes:
    """Return an alert of ours as Suricata writes it; ``second`` is its time on the wire."""
    body = text.encode() if isinstance(text, str) else text
    record = {
        "timestamp": f"2026-11-20T08:00:{second:02}.000000+0000",
        "flow_id": flow,
        "tx_id": tx,
        "event_type": "alert",
        "src_ip": "10.20.0.10",
        "src_port": 8000,
        "dest_ip": "10.20.0.1",
        "dest_port": 40001,
        "direction": "to_client",
        "alert": {
            "signature_id": 1_000_000_001,
            "metadata": {
                "owner": ["guosuo"],
                "domain": ["outer-finance"],
                "level": ["confidential"],
                "ceiling": ["internal"],
                "encoding": ["utf-8"],
                "policy": ["00ff"],
            },
        },
        "http": {
            "hostname": "budget.example",
            "url": "/doc?name=x",
            "http_response_body": base64.b64encode(body).decode(),
        },
    }
    return json.dumps({**record, **more}).encode()


def http(*, flow: int = 1, tx: int = 0, headers: list[tuple[str, str]] | None = None) -> bytes:
    pairs = list(GATEWAY.items()) if headers is None else headers
    said = {"request_headers": [{"name": name, "value": value} for name, value in pairs]}
    return json.dumps({"event_type": "http", "flow_id": flow, "tx_id": tx, "http": said}).encode()


@dataclass
class Desk:
    spool: Spool
    offset: int = 0

    @property
    def joiner(self) -> Joiner:
        # A new one each time: nothing may be kept outside the spool.
        return Joiner(name="sensor-1", spool=self.spool)

    def take(self, *texts: bytes, at: float = 0.0, lost: list[str] | None = None) -> None:
        lines = []
        for text in texts:
            lines.append(Line("00ff", self.offset, text))
            self.offset += len(text) + 1
        mark = Bookmark(1, self.offset, "00ff", b"", int((START - 30) * 1e9))
        self.joiner.take(Batch(lines, mark, lost or []), now=START + at)

    def told(self, *, at: float) -> list[Any]:
        self.joiner.release(now=START + at)
        entries = self.spool.unsent()
        with self.spool.transaction():
            self.spool.acknowledge([number for number, _one in entries])
        return [one for _number, one in entries]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Spool(tmp_path / "spool.sqlite3")) as spool:
        yield Desk(spool)


@pytest.mark.parametrize("order", [(alert(), http()), (http(), alert())])
@pytest.mark.parametrize("batches", [1, 2])
def test_either_may_come_first(desk: Desk, order: tuple[bytes, bytes], batches: int) -> None:
    if batches == 1:
        desk.take(*order)
    else:
        for line in order:
            desk.take(line)
    (leak,) = desk.told(at=SETTLE)
    assert (leak.request_id, leak.serial, leak.revision) == (REQUEST, SERIAL, 1)
    assert (leak.marking, leak.confirmed, leak.path, leak.host) == ("机密★10年", True, "/doc", "budget.example")
    assert desk.told(at=PATIENCE * 10) == []


def test_it_waits_for_further_alerts_and_for_the_transaction(desk: Desk) -> None:
    desk.take(alert(), http())
    assert desk.told(at=SETTLE / 2) == []
    desk.take(alert(flow=2))
    assert [one.transaction for one in desk.told(at=SETTLE)] == ["1:0"]
    assert desk.told(at=PATIENCE - 0.1) == []
    assert [one.request_id for one in desk.told(at=PATIENCE)] == [""]


def test_a_late_transaction_amends_what_was_told(desk: Desk) -> None:
    desk.take(alert())
    (first,) = desk.told(at=PATIENCE)
    assert (first.request_id, first.revision) == ("", 1)
    desk.take(http(), at=60)
    (second,) = desk.told(at=60)
    assert (second.id, second.revision, second.request_id, second.serial) == (first.id, 2, REQUEST, SERIAL)
    desk.take(http(), at=61)
    assert desk.told(at=100) == []


def test_a_transaction_after_the_memory_amends_nothing(desk: Desk) -> None:
    desk.take(alert())
    desk.told(at=PATIENCE)
    desk.joiner.prune(now=START + MEMORY + 10)
    desk.take(http(), at=MEMORY + 10)
    assert desk.told(at=MEMORY + 20) == []


def test_transactions_of_one_connection_are_kept_apart_and_told_in_order(desk: Desk) -> None:
    for tx in (3, 1, 2):
        request = [("X-Guosuo-Request", f"{tx:032x}"), ("X-Guosuo-Serial", SERIAL)]
        desk.take(alert(tx=tx, second=tx), http(tx=tx, headers=request))
    assert [one.request_id for one in desk.told(at=1)] == [f"{tx:032x}" for tx in (1, 2, 3)]


def test_alerts_of_one_moment_are_told_in_the_order_of_the_file(desk: Desk) -> None:
    # Offsets of one, two and more digits: their order as text is another.
    desk.take(*(alert(flow=flow) for flow in range(1, 30)), *(http(flow=flow) for flow in range(1, 30)))
    assert [one.transaction for one in desk.told(at=1)] == [f"{flow}:0" for flow in range(1, 30)]


def test_several_alerts_of_one_transaction_are_one_sighting_of_the_highest(desk: Desk) -> None:
    desk.take(alert("秘密★1年"), alert("绝密★30年", second=2), alert("机密★5年", second=1), http())
    (leak,) = desk.told(at=SETTLE)
    assert (leak.marking, leak.hits, leak.id) == ("绝密★30年", 3, "sensor-1:00ff:0")
    assert leak.last > leak.at


def test_a_higher_marking_after_the_sighting_is_one_of_its_own(desk: Desk) -> None:
    desk.take(alert("秘密★1年"), http())
    (first,) = desk.told(at=SETTLE)
    desk.take(alert("秘密★1年"), alert("绝密★30年"), at=5)
    (second,) = desk.told(at=6)
    assert (first.marking, second.marking) == ("秘密★1年", "绝密★30年")
    assert first.id != second.id
    assert second.request_id == REQUEST


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("X-Guosuo-Request", REQUEST), ("X-Guosuo-Request", "f" * 32), ("X-Guosuo-Serial", SERIAL)], ("", SERIAL)),
        ([("X-Guosuo-Request", REQUEST), ("x-guosuo-REQUEST", REQUEST), ("X-Guosuo-Serial", SERIAL)], ("", SERIAL)),
        ([("X-Guosuo-Request", f"{REQUEST}, {REQUEST}"), ("X-Guosuo-Serial", SERIAL)], ("", SERIAL)),
        ([("X-Guosuo-Request", REQUEST.upper() + "A"), ("X-Guosuo-Serial", SERIAL[:-1])], ("", "")),
        ([("X-Guosuo-Request", "' OR 1=1 --"), ("X-Guosuo-Serial", "\u0000" * 40)], ("", "")),
        ([("X-Guosuo-Requests", REQUEST), ("Guosuo-Serial", SERIAL)], None),
        ([("X-Guosuo-Request", REQUEST)] * 20, ("", "")),
        ([("X-Guosuo-Serial", SERIAL)], ("", SERIAL)),
    ],
)
def test_forged_and_doubled_headers_name_nobody(
    desk: Desk, headers: list[tuple[str, str]], expected: tuple[str, str] | None
) -> None:
    desk.take(alert(), http(headers=headers))
    early = desk.told(at=SETTLE)
    if expected is None:
        assert early == []
        (leak,) = desk.told(at=PATIENCE)
        assert (leak.request_id, leak.serial) == ("", "")
    else:
        (leak,) = early
        assert (leak.request_id, leak.serial) == expected


@pytest.mark.parametrize("text", ["机密计算", "商业秘密★5年", "电影《绝密》★★★★", "内部★1年"])
def test_what_the_grammar_does_not_confirm_is_not_told(desk: Desk, text: str) -> None:
    desk.take(alert(text), http())
    assert desk.told(at=PATIENCE) == []
    assert desk.spool.counters() == {"alert-unconfirmed": 1}


def test_a_marking_at_the_ceiling_is_not_told_and_one_above_it_is(desk: Desk) -> None:
    said = json.loads(alert())["alert"]
    said["metadata"] |= {"ceiling": ["secret"]}
    desk.take(alert("秘密★1年", alert=said), http())
    assert desk.told(at=PATIENCE) == []
    mixed = "秘密★1年\n".encode() + "机密★10年\n".encode("gb18030")
    desk.take(alert(mixed, flow=2, alert=said), http(flow=2))
    (leak,) = desk.told(at=PATIENCE)
    assert (leak.marking, leak.encoding) == ("机密★10年", "gb18030")


@pytest.mark.parametrize("body", ["", "not base64!"])
def test_without_a_body_only_the_rule_speaks(desk: Desk, body: str) -> None:
    desk.take(alert(http={"http_response_body": body, "url": "/x"}), http())
    (leak,) = desk.told(at=SETTLE)
    assert (leak.confirmed, leak.marking, leak.encoding) == (False, "机密★", "utf-8")


def test_alerts_of_other_rules_and_other_records_are_left_alone(desk: Desk) -> None:
    desk.take(
        alert(alert={"signature_id": 2_019_401, "metadata": {"owner": ["somebody"]}}),
        alert(alert={"signature_id": 2_019_401}),
        alert(alert=None),
        json.dumps({"event_type": "flow", "flow_id": 1}).encode(),
        json.dumps({"event_type": "http", "flow_id": 1}).encode(),
    )
    assert desk.told(at=PATIENCE) == []


def test_names_chosen_by_the_sender_cannot_break_what_is_told(desk: Desk) -> None:
    place = {"hostname": "\x00evil\n\x1b[2J\u202e" + "h" * 500, "url": "/\x00\x9b31m" + "机" * 500 + "?q"}
    body = json.loads(alert())["http"]["http_response_body"]
    desk.take(alert(http={**place, "http_response_body": body}, src_ip="\x00" * 100, direction="to_client"), http())
    (leak,) = desk.told(at=SETTLE)
    assert Leak.model_validate_json(leak.model_dump_json()) == leak
    assert len(leak.host) <= 255
    assert all(one.isprintable() for one in leak.host + leak.path + leak.source)


@pytest.mark.parametrize(
    "bad",
    [b"", b"{", b"\x00" * 30, alert(timestamp="yesterday"), alert(timestamp="0001-01-01T00:00:00+0000"), alert()[:-5]],
)
def test_a_record_that_cannot_be_read_is_told_as_unmonitored(desk: Desk, bad: bytes) -> None:
    desk.take(alert(flow=5), bad, bad, http(flow=5), at=1)
    leak, window = sorted(desk.told(at=2), key=lambda one: one.type)
    assert isinstance(leak, Leak)
    assert isinstance(window, Blind)
    assert (window.cause, window.until) == ("records-unreadable", datetime.fromtimestamp(START + 1, UTC))
    assert desk.spool.counters() == {"eve-malformed": 2}


def test_a_record_that_is_too_long_is_told_as_unmonitored(desk: Desk) -> None:
    desk.joiner.take(Batch([Line("00ff", 0, b"", oversized=True)], Bookmark(1, 9, "00ff"), []), now=START)
    (window,) = desk.told(at=0)
    assert window.cause == "records-unreadable"


def test_lost_records_are_told_from_when_the_file_was_last_read(desk: Desk) -> None:
    desk.take(alert(flow=9))
    desk.take(lost=["the file was cut"], at=1)
    (window,) = desk.told(at=1)
    assert (window.cause, window.id) == ("records-lost", "sensor-1:records-lost:00ff:0")
    assert (window.at.timestamp(), window.until.timestamp()) == (START - 30, START + 1)


def test_a_batch_that_is_repeated_after_a_crash_leads_to_the_same(desk: Desk) -> None:
    desk.take(alert(), http())
    (first,) = desk.told(at=SETTLE)
    desk.offset = 0
    desk.take(alert(), http(), at=1)
    assert desk.told(at=10) == []
    # The same in a spool that lost everything: the id is the same, and the centre knows it.
    with closing(Spool(Path(":memory:"))) as empty:
        other = Desk(empty)
        other.take(alert(), http())
        assert [one.id for one in other.told(at=SETTLE)] == [first.id]


def test_a_clock_that_was_set_back_holds_nothing_up(desk: Desk) -> None:
    desk.take(alert(), http(), at=7200)
    assert len(desk.told(at=0)) == 1


@pytest.mark.parametrize("chunk", [64, 4096, 1 << 20])
def test_whatever_the_reading_the_sightings_are_the_same(tmp_path: Path, desk: Desk, chunk: int) -> None:
    file = tmp_path / "eve.json"
    lines = [one for flow in range(1, 20) for one in (alert(flow=flow), b"{broken", http(flow=flow))]
    file.write_bytes(b"\n".join(lines) + b"\n")
    mark = None
    for _ in range(10_000):
        # A new process for each batch.
        with Reader(file, bookmark=mark, random=os.urandom, chunk=chunk) as reader:
            batch = reader.read()
        if not batch.bookmark:
            break
        desk.joiner.take(batch, now=START)
        mark = desk.spool.bookmark()
    leaks = [one for one in desk.told(at=1) if isinstance(one, Leak)]
    assert [one.transaction for one in leaks] == [f"{flow}:0" for flow in range(1, 20)]
    assert {one.request_id for one in leaks} == {REQUEST}


def test_levels_in_metadata_are_those_of_the_rules() -> None:
    text = rules.render([Boundary("outer-finance", Classification.INTERNAL, ("10.20.0.0/24",))])
    for word in ("level confidential", "ceiling internal", "encoding utf-8", "owner guosuo", "domain outer-finance"):
        assert word in text
