"""Lines of EVE as Suricata writes them and as nobody should: read, or refused with one kind of error."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import eve
from monitor.errors import BadEve

ALERT = {
    "timestamp": "2026-11-22T10:00:00.004000+0800",
    "flow_id": 1805972715,
    "tx_id": 3,
    "event_type": "alert",
    "src_ip": "10.20.0.10",
    "src_port": 8000,
    "dest_ip": "10.20.0.1",
    "dest_port": 40001,
    "direction": "to_client",
    "alert": {"signature_id": 1_000_000_001, "signature": "x", "metadata": {"owner": ["guosuo"]}, "gid": 1},
    "http": {"hostname": "budget.example", "url": "/x", "http_response_body": "YQ==", "status": 200},
    "community_id": "1:x",
}


def line(**changes: object) -> bytes:
    return json.dumps({**ALERT, **changes}).encode()


def test_an_alert_is_read() -> None:
    record = eve.parse_record(line())
    assert (record.flow_id, record.tx_id, record.direction) == (1805972715, 3, "to_client")
    assert record.alert is not None
    assert record.alert.metadata == {"owner": ["guosuo"]}
    assert record.http is not None
    assert eve.parse_body(record.http.http_response_body) == b"a"
    assert eve.parse_time(record.timestamp).utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"alert"',
        b"{}",
        b"\xff\xfe",
        line()[:-1],
        line() + b"x",
        line(flow_id=-1),
        line(flow_id=2**63),
        line(flow_id="1"),
        line(flow_id=1.5),
        line(tx_id=-1),
        line(src_port=65536),
        line(event_type=None),
        line(alert=[]),
        line(alert={"signature_id": 1, "metadata": {"owner": "guosuo"}}),
        line(alert={}),
        line(http={"request_headers": [{"name": 1}]}),
        line(http=7),
        b'{"event_type":"alert","src_ip":"\xc3\x28"}',
        b'{"event_type":"alert","http":{"url":"\\ud800"}}',
        b'{"event_type":' + b"[" * 100_000,
        b'{"event_type":"x","deep":' + b'{"a":' * 100_000,
    ],
)
def test_what_is_no_record_is_refused(bad: bytes) -> None:
    with pytest.raises(BadEve):
        eve.parse_record(bad)


def test_a_line_beyond_the_limit_is_refused_undecoded() -> None:
    with pytest.raises(BadEve, match="longer") as refused:
        eve.parse_record(b" " * (eve.LONGEST_LINE + 1))
    assert refused.value.word == "too-long"


@given(content=st.binary(max_size=200))
@settings(max_examples=300)
def test_arbitrary_octets_are_a_record_or_refused(content: bytes) -> None:
    try:
        eve.parse_record(content)
    except BadEve:
        return
    assert json.loads(content)["event_type"] is not None


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00:00+0000", "2026-11-22T10:00:00", "1" * 5000])
def test_times_without_an_offset_or_sense_are_refused(text: str) -> None:
    with pytest.raises(BadEve):
        eve.parse_time(text)


@pytest.mark.parametrize("text", ["", "=", "a", "YQ==\n!", "机密", "****"])
def test_a_body_that_is_no_base64_is_empty(text: str) -> None:
    assert eve.parse_body(text) == b""
