from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock, bounded, from_rfc3339, parse_given, to_rfc3339


def test_the_machines_clock_is_aware_and_in_utc() -> None:
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)


def test_printed_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 20, 16, 0, 0, 999999, tzinfo=timezone(timedelta(hours=8)))
    assert to_rfc3339(moment) == "2026-11-20T08:00:00.999Z"
    assert to_rfc3339(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.timezones()))
def test_what_was_printed_is_read_back_to_the_millisecond(moment: datetime) -> None:
    text = to_rfc3339(moment)
    assert text.endswith("Z")
    assert from_rfc3339(text) == moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20",
        "2026-11-20T08:00:00",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "٢٠٢٦",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-08:00",
    ],
)
def test_a_time_without_an_offset_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9900-01-01T00:00:00Z",
    ],
)
def test_a_time_at_the_edge_of_the_calendar_is_not_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r"beyond the calendar|between the years 1970 and 9900"):
        parse_given(text)
    with pytest.raises(ValueError, match="between the years 1970 and 9900"):
        bounded(datetime.fromisoformat(text))


def test_times_within_the_bounds_are_taken_in_utc() -> None:
    assert parse_given("1970-01-01T08:00:00+08:00").isoformat() == "1970-01-01T00:00:00+00:00"
    assert parse_given("9899-12-31T23:59:59Z").utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00.000+14:00", "9999-12-31T23:59:59.999-01:00"])
def test_a_time_that_is_none_in_utc_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="beyond"):
        from_rfc3339(text)


def test_other_offsets_are_read() -> None:
    assert from_rfc3339("2026-11-20T16:00:00+08:00") == datetime(2026, 11, 20, 8, tzinfo=UTC)
