"""The pure rules: when a duty presses, whom it goes to, and what nobody answers for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.duty import escalation
from core.duty.orphan import Answered, Facts, Orphan, orphans, vacant

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "stage"),
    [
        (timedelta(days=31), None),
        (timedelta(days=30), 30),
        (timedelta(days=7, seconds=1), 30),
        (timedelta(days=7), 7),
        (timedelta(days=1, seconds=1), 7),
        (timedelta(days=1), 1),
        (timedelta(0), 1),
        (timedelta(seconds=-1), None),
    ],
)
def test_stage_of_an_end(left: timedelta, stage: int | None) -> None:
    assert escalation.stage(NOW + left, NOW) == stage


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)))
def test_a_deadline_is_not_behind_the_end_and_stages_only_come_nearer(left: timedelta) -> None:
    end = NOW + left
    reached = escalation.stage(end, NOW)
    if reached is None:
        assert left > timedelta(days=30)
        return
    assert escalation.deadline(end, reached) <= end
    later = escalation.stage(end, NOW + left / 2)
    assert later is not None
    assert later <= reached


@given(st.sampled_from("abc"), st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=4))
def test_a_duty_never_escalates_to_its_own_post(post: str, chain: list[str]) -> None:
    found = escalation.target(post, chain)
    assert found != post
    assert found in (*chain, "")
    assert found or set(chain) <= {post, ""}


def test_what_has_no_deadline_is_never_overdue() -> None:
    assert not escalation.is_overdue(None, NOW)
    assert not escalation.is_overdue(NOW, NOW)
    assert escalation.is_overdue(NOW - timedelta(seconds=1), NOW)


NAMES = st.sampled_from(["p1", "p2", "p3"])
PEOPLE = st.sampled_from(["a", "b", "c"])
FACTS = st.builds(
    Facts,
    posts=st.just({"p1": "one", "p2": "two", "p3": "three"}),
    holders=st.dictionaries(NAMES, PEOPLE),
    left=st.frozensets(PEOPLE),
    things=st.lists(
        st.builds(Answered, st.just("system"), st.uuids().map(str), st.just("s"), st.tuples(NAMES, NAMES)), max_size=4
    ),
    roles=st.lists(st.tuples(PEOPLE, st.just("outer-finance"), st.just("reader")), max_size=3),
    duties=st.lists(st.tuples(st.uuids().map(str), st.just("d"), NAMES), max_size=3),
)


@given(FACTS)
def test_nothing_is_an_orphan_exactly_when_everybody_is_there(facts: Facts) -> None:
    there = {post for post, person in facts.holders.items() if person not in facts.left}
    whole = there == set(facts.posts) and not any(person in facts.left for person, _, _ in facts.roles)
    assert (orphans(facts) == []) == whole
    assert vacant(facts) == set(facts.posts) - there


@given(FACTS)
def test_everything_that_hangs_on_a_vacant_post_is_named(facts: Facts) -> None:
    found = {(one.kind, one.identifier) for one in orphans(facts)}
    empty = vacant(facts)
    assert {("duty", identifier) for identifier, _, post in facts.duties if post in empty} <= found
    assert {("system", one.identifier) for one in facts.things if set(one.posts) & empty} <= found


def test_an_orphan_says_why() -> None:
    facts = Facts({"p1": "one"}, {"p1": "a"}, {"a"}, [Answered("system", "s1", "S", ("p1", "p1"))], [], [])
    assert orphans(facts) == [
        Orphan("post", "p1", "one", "`a`, who held it, has left"),
        Orphan("system", "s1", "S", "its post `p1` is vacant"),
    ]
