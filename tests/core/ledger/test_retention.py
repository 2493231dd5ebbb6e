"""The rule, as a function of values."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.ledger import retention
from core.ledger.retention import Dated, Keeps, Retention, keeps, released, serials
from core.registry import accountable

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
NUMBERS = accountable.retention()
SERIAL = "0b" * 20
ROOT = Path(__file__).parents[3]


def dated(days: float, **more: object) -> Dated:
    return Dated("test.thing.made", NOW - timedelta(days=days), **{"level": 3, **more})  # type: ignore[arg-type]  # real parameters


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (dated(179.9), Keeps.YOUNG),
        (dated(180.1), None),
        (dated(180.1, level=4), Keeps.YOUNG),
        (dated(365.1, level=4), None),
        (dated(200, level=None), Keeps.YOUNG),
        (dated(731, level=None), None),
        (dated(200, level=9), Keeps.YOUNG),
        (dated(-1), Keeps.YOUNG),
        (dated(400, lapses=NOW + timedelta(days=1)), Keeps.CERTIFICATE),
        (dated(400, lapses=NOW - timedelta(days=5 * 365)), Keeps.CERTIFICATE),
        (dated(400, lapses=NOW - timedelta(days=5 * 366)), None),
        (dated(9999, unknown=True), Keeps.CERTIFICATE),
        (dated(400, held=True), Keeps.HOLD),
        (dated(400, published=False), Keeps.UNPUBLISHED),
        (dated(10, held=True, published=False), Keeps.YOUNG),
    ],
)
def test_what_keeps_a_record(record: Dated, why: Keeps | None) -> None:
    assert keeps(record, NUMBERS, NOW) == why


@pytest.mark.parametrize("kind", sorted(NUMBERS.kept_types))
def test_what_the_log_needs_stays(kind: str) -> None:
    assert keeps(Dated(kind, NOW - timedelta(days=9_999), level=3), NUMBERS, NOW) is Keeps.NEEDED


@pytest.mark.parametrize("kind", sorted(NUMBERS.kept_types))
def test_what_is_kept_is_what_is_written(kind: str) -> None:
    """A type that nothing writes keeps nothing: the rule would promise a record that there never is."""
    written = [path for path in (ROOT / "core").rglob("*.py") if f'"{kind}"' in path.read_text(encoding="utf-8")]
    assert written, kind


def test_five_years_to_the_day_and_leap_days() -> None:
    assert released(datetime(2021, 11, 25, tzinfo=UTC), NUMBERS) == datetime(2026, 11, 25, tzinfo=UTC)
    assert released(datetime(2024, 2, 29, tzinfo=UTC), NUMBERS) == datetime(2029, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("end", [datetime(9996, 2, 29, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_what_never_lapses_is_never_released(end: datetime) -> None:
    """RFC 5280, 4.1.2.5: 99991231235959Z is a certificate without a well-defined end."""
    assert released(end, NUMBERS).year == 9999
    assert keeps(dated(400, lapses=end), NUMBERS, NOW) is Keeps.CERTIFICATE


@pytest.mark.parametrize(
    "change",
    [
        {"minimum_days": 179},
        {"certificate_years": 4},
        {"days_by_level": {1: 180, 2: 180, 3: 179, 4: 365, 5: 365}},
        {"days_by_level": {1: 180}},
        {"days_by_level": {}},
        {"version": 0},
        {"surprise": 1},
    ],
)
def test_numbers_below_the_law_are_not_taken(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Retention.model_validate({**NUMBERS.model_dump(), **change})


@pytest.mark.parametrize("text", ["", "[]", "version: [", "!!python/object:os.system {}"])
def test_hostile_numbers(text: str) -> None:
    with pytest.raises(Exception, match=r"valid|expected|parsing|determine"):
        retention.parse_retention(text, NUMBERS.days_by_level)


def test_serials_are_found_wherever_they_stand() -> None:
    other = "0c" * 20
    assert serials(f"certificate:{SERIAL}", {}) == {SERIAL}
    assert serials("alert:1", {"serial": SERIAL, "n": 1}) == {SERIAL}
    assert serials("alert:1", {"list": [{"serials": [SERIAL, other]}]}) == {SERIAL, other}
    assert serials("alert:1", {"request_id": SERIAL, "serial": "no"}) == set()
    assert serials("certificate:no", {"serial": None}) == set()
