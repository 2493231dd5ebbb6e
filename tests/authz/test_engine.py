"""The engine: what Cedar would skip denies here, and nothing is evaluated over entities that are not there."""

from dataclasses import replace

import cedarpy
import pytest

from authz import engine
from authz.engine import Entity, Question, Reference, Verdict
from authz.errors import PolicyRejected

SCHEMA = """
entity Group;
entity User in [Group] = { "age": Long };
entity File = { "size": Long, "owner": User };
action read appliesTo { principal: [User], resource: [File] };
"""
PERMIT = "permit (principal, action, resource);"
OVERFLOW = "forbid (principal, action, resource) when { resource.size + 9223372036854775807 > 0 };"
QUESTION = Question(("User", "a"), "read", ("File", "f"))
USER = Entity(("User", "a"), {"age": 30})
FILE = Entity(("File", "f"), {"size": 1, "owner": Reference(("User", "a"))})


def compiled(*policies: str) -> engine.CompiledSet:
    found = {}
    for number, text in enumerate(policies):
        tree = cedarpy.policies_to_pst(text)
        (policy,) = [*tree.templates.values(), *tree.static_policies.values()]
        found[f"p{number}"] = replace(policy, id=f"p{number}")
    return engine.compile_set(found, SCHEMA)


def test_cedar_itself_would_allow_what_an_erroring_forbid_was_meant_to_stop() -> None:
    made = compiled(PERMIT, OVERFLOW)
    request = {"principal": 'User::"a"', "action": 'Action::"read"', "resource": 'File::"f"', "context": {}}
    entities = [
        {"uid": {"type": "User", "id": "a"}, "attrs": {"age": 1}, "parents": []},
        {
            "uid": {"type": "File", "id": "f"},
            "attrs": {"size": 1, "owner": {"__entity": {"type": "User", "id": "a"}}},
            "parents": [],
        },
    ]
    result = cedarpy.is_authorized(request, made.policies, entities, made.schema)
    assert result.decision is cedarpy.Decision.Allow
    assert result.diagnostics.errors


@pytest.mark.parametrize("order", [(PERMIT, OVERFLOW), (OVERFLOW, PERMIT)])
def test_an_error_never_allows(order: tuple[str, str]) -> None:
    verdict = engine.decide(compiled(*order), QUESTION, [USER, FILE])
    assert (verdict.allowed, verdict.reason) == (False, "error")
    assert verdict.errors


@pytest.mark.parametrize(
    ("question", "entities"),
    [
        (QUESTION, [USER]),
        (QUESTION, [FILE]),
        (QUESTION, []),
        (QUESTION, [Entity(("User", "a"), {"age": 1}, (("Group", "g"),)), FILE]),
        (QUESTION, [USER, Entity(("File", "f"), {"size": 1, "owner": Reference(("User", "ghost"))})]),
        (QUESTION, [USER, Entity(("File", "f"), {"size": 1})]),
        (QUESTION, [USER, Entity(("File", "f"), {"size": "1", "owner": Reference(("User", "a"))})]),
        (Question(("User", "a"), "erase", ("File", "f")), [USER, FILE]),
        (Question(("File", "f"), "read", ("User", "a")), [USER, FILE]),
    ],
)
def test_a_question_over_absent_or_wrong_entities_makes_no_sense(question: Question, entities: list[Entity]) -> None:
    verdict = engine.decide(compiled(PERMIT), question, entities)
    assert (verdict.allowed, verdict.reason) == (False, "invalid")


def test_reasons() -> None:
    forbid = "forbid (principal, action, resource) when { principal.age < 18 };"
    child = Entity(("User", "a"), {"age": 10})
    assert engine.decide(compiled(PERMIT), QUESTION, [USER, FILE]) == Verdict(True, "permitted", ("p0",))
    assert engine.decide(compiled(PERMIT, forbid), QUESTION, [child, FILE]) == Verdict(False, "forbidden", ("p1",))
    assert engine.decide(compiled(forbid), QUESTION, [USER, FILE]) == Verdict(False, "no-permit")


def test_a_batch_answers_in_order() -> None:
    other = Question(("User", "b"), "read", ("File", "f"))
    verdicts = engine.decide_batch(compiled(PERMIT), [other, QUESTION, other], [USER, FILE])
    assert [verdict.reason for verdict in verdicts] == ["invalid", "permitted", "invalid"]


def test_what_does_not_compile_is_refused() -> None:
    with pytest.raises(PolicyRejected):
        engine.compile_set({}, "entity ;")
    assert engine.validate(PERMIT, "entity ;")
    assert engine.validate("permit (principal, action, resource) when { resource.colour };", SCHEMA)
    assert engine.validate(PERMIT, SCHEMA) == []
