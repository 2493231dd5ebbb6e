"""What follows from a level is reviewed data: whole, never falling, honest about where it comes from. And grading."""

from importlib.resources import files

import pytest

from core.errors import Malformed
from core.registry import grading, levels
from core.registry.worksheet import DEGREES, OBJECTS

TABLE = files("core.registry").joinpath("levels.yaml").read_text(encoding="utf-8")
MATRIX = files("core.registry").joinpath("grading.yaml").read_text(encoding="utf-8")


def test_the_table_is_whole_and_says_where_it_comes_from() -> None:
    table = levels.table()
    assert {one.name for one in table.parameters} >= {
        "certificate_days_person", "certificate_days_device", "rsa_bits", "ec_bits", "factors", "lockout_tries",
        "lockout_seconds", "idle_seconds", "retention_days", "rto_minutes", "rpo_minutes",
    }  # fmt: skip
    assert {one.basis for one in table.parameters} == {"standard", "assessor practice", "product"}
    # What the standard gives no number for is not called the standard's (mission 2.1).
    practice = {one.name for one in table.parameters if one.basis != "standard"}
    assert {"lockout_tries", "lockout_seconds", "idle_seconds"} <= practice
    assert all(levels.value("retention_days", level) >= 180 for level in levels.LEVELS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("levels: {1: 180, 2: 180, 3: 180, 4: 365, 5: 730}", "levels: {1: 90, 2: 180, 3: 180, 4: 365, 5: 730}"),
        ("levels: {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}", "levels: {1: 1, 2: 2, 3: 1, 4: 2, 5: 2}"),
        ("levels: {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}", "levels: {1: 1, 2: 1, 3: 2, 4: 2}"),
        ("stricter: lower", "stricter: sometimes"),
        ("basis: product", "basis: hearsay"),
        ("unit: days", "unit: days\n    colour: red"),
    ],
)
def test_a_table_that_is_wrong_is_not_used(old: str, new: str) -> None:
    assert old in TABLE
    with pytest.raises(ValueError):
        levels.parse_table(TABLE.replace(old, new))


def test_two_to_three_is_shown_parameter_by_parameter() -> None:
    steps = levels.compare(2, 3)
    assert [(step.parameter.name, step.old, step.new) for step in steps] == [
        ("certificate_days_device", 365, 180),
        ("factors", 1, 2),
        ("idle_seconds", 900, 600),
        ("rto_minutes", 1440, 720),
        ("rpo_minutes", 1440, 30),
    ]
    assert all(step.is_stricter for step in steps)
    assert not any(step.is_stricter for step in levels.compare(3, 2))
    assert levels.compare(3, 3) == []
    assert str(steps[1]) == "鉴别因素 · factors of authentication: 1 → 2 factors (stricter; standard)"


@pytest.mark.parametrize("level", [0, 6, -1, 99])
def test_there_are_five_levels(level: int) -> None:
    with pytest.raises(Malformed):
        levels.check_level(level)


@pytest.mark.parametrize(
    ("harmed", "degree", "level"),
    [
        ("citizens", "general", 1), ("citizens", "serious", 2), ("citizens", "especially-serious", 2),
        ("public-order", "general", 2), ("public-order", "serious", 3), ("public-order", "especially-serious", 4),
        ("national-security", "general", 3), ("national-security", "serious", 4),
        ("national-security", "especially-serious", 5),
    ],
)  # fmt: skip
def test_the_matrix(harmed: str, degree: str, level: int) -> None:
    """GB/T 22240, as the mission's 2.1 has it."""
    assert grading.grade(((harmed, degree, "-"),), ()).level == level


def test_the_level_is_the_highest_of_everything() -> None:
    graded = grading.grade(
        (("citizens", "serious", "-"), ("public-order", "serious", "-")), (("public-order", "general", "-"),)
    )
    assert (str(graded), graded.level) == ("S3A2", 3)
    assert (str(grading.grade((), ())), grading.grade((), ()).level) == ("-", 0)


@pytest.mark.parametrize(("old", "new"), [("general: 2", "general: 4"), ("serious: 4,", "serious: 9,")])
def test_a_matrix_that_falls_is_not_used(old: str, new: str) -> None:
    with pytest.raises(ValueError):
        grading.parse_matrix(MATRIX.replace(old, new))
    assert len(OBJECTS) * len(DEGREES) == 9
