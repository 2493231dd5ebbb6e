"""A rehearsal that saw nothing has shown nothing; a failed step is never green."""

from pathlib import Path

import pytest

from core.errors import Rejected
from deploy.rehearsal import report
from deploy.rehearsal.step import Halted, Journal, Step


def journal() -> Journal:
    ticks = iter(range(1000))
    return Journal(listener=lambda _step, _ended: None, monotonic=lambda: float(next(ticks)))


def test_step_that_saw_what_it_expected_passes() -> None:
    played = journal()
    with played.step("title", "expected") as step:
        step.check(True, "seen")
    assert played.ok
    assert played.steps[0].as_json() == {
        "number": 1, "title": "title", "expected": "expected", "seen": "seen", "seconds": 1.0, "ok": True,
    }  # fmt: skip


def test_silent_step_fails() -> None:
    played = journal()
    with played.step("title", "expected"):
        pass
    assert not played.ok


def test_one_failed_check_fails_the_step() -> None:
    played = journal()
    with played.step("title", "expected") as step:
        step.check(False, "the door is closed")
        step.check(True, "something else")
    assert not played.ok
    assert "NOT: the door is closed" in str(played.steps[0].as_json()["seen"])


def test_error_is_a_fault_and_the_next_step_runs() -> None:
    played = journal()
    with played.step("one", "works"):
        raise Rejected("no")
    with played.step("two", "works") as step:
        step.note("works")
    assert [step.ok for step in played.steps] == [False, True]
    assert not played.ok


def test_failed_vital_step_halts() -> None:
    played = journal()
    with pytest.raises(Halted), played.step("one", "works", vital=True) as step:
        step.check(False, "works")


def test_empty_rehearsal_is_not_green() -> None:
    assert not journal().ok


def test_report_is_self_contained_and_escapes(tmp_path: Path) -> None:
    step = Step(1, "<script>alert(1)</script>", "x", 0.0, seen=["ok"], seconds=1.0, table=[{"door": "front"}])
    report.write(tmp_path / "r.html", [step], parts=[("nginx", "1.22")], bundle="b.zip", fingerprint="f")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "guosuo-verify b.zip --fingerprint f" in page
