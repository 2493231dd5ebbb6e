"""The policy engine: Cedar through ``cedarpy`` behind four calls, and the only module that imports it for decisions.

Cedar skips a policy whose evaluation fails, a ``forbid`` included, and may then answer Allow. So here: any error means
no, whatever the decision says, and every entity that is named or referenced must have been handed in.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import cedarpy
from cedarpy import pst

from authz.errors import PolicyRejected

Uid: TypeAlias = tuple[str, str]

#: What an attribute holds: Cedar's Bool, Long and String, an entity, or a set of entities.
AttributeValue: TypeAlias = "bool | int | str | Reference | tuple[Reference, ...]"


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute's value that is another entity."""

    uid: Uid


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: ``uid`` is (type, id), ``parents`` the entities it is ``in``."""

    uid: Uid
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    parents: tuple[Uid, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """May ``principal`` do ``action`` to ``resource``?"""

    principal: Uid
    action: str
    resource: Uid


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` is one of ``permitted no-permit forbidden error invalid``; ``errors`` is for the record alone."""

    allowed: bool
    reason: str
    policies: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledSet:
    """Policies and schema, parsed once; ``identifiers`` are the ``@id`` of its policies."""

    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    identifiers: tuple[str, ...]


def compile_set(policies: Mapping[str, pst.Template], schema: str) -> CompiledSet:
    """Parse for later use; keys are the policies' ``@id``. Raises ``PolicyRejected``."""
    tree = pst.PolicySet(templates={}, static_policies=dict(policies), template_links=())
    try:
        return CompiledSet(cedarpy.PolicySet.from_pst(tree), cedarpy.Schema.from_str(schema), tuple(policies))
    except ValueError as error:
        raise PolicyRejected(f"the policies cannot be compiled: {error}") from error


def validate(policies: str, schema: str) -> list[str]:
    """Return what Cedar's strict validator says against ``policies``, one sentence each; empty when they are valid."""
    try:
        result = cedarpy.validate_policies(policies, cedarpy.Schema.from_str(schema))
    except ValueError as error:
        return [str(error)]
    names = result.id_annotations_by_policy_id
    return [f"`{names.get(fault.policy_id, fault.policy_id)}`: {fault.error}" for fault in result.errors]


def decide(compiled: CompiledSet, question: Question, entities: Sequence[Entity]) -> Verdict:
    """Answer one question over exactly these ``entities``."""
    return decide_batch(compiled, [question], entities)[0]


def decide_batch(compiled: CompiledSet, questions: Sequence[Question], entities: Sequence[Entity]) -> list[Verdict]:
    """Answer every question over the same ``entities``, in order."""
    known = {entity.uid for entity in entities}
    absent = sorted(set(_referenced(entities)) - known)
    if absent:
        return [Verdict(allowed=False, reason="invalid", errors=(f"no entity {absent[0]}",))] * len(questions)
    try:
        handle = cedarpy.Entities.from_json_str(json.dumps([_plain(one) for one in entities]), compiled.schema)
    except ValueError as error:
        return [Verdict(allowed=False, reason="invalid", errors=(str(error),))] * len(questions)
    return [_answer(compiled, question, handle, known) for question in questions]


def _answer(compiled: CompiledSet, question: Question, handle: cedarpy.Entities, known: set[Uid]) -> Verdict:
    for uid in (question.principal, question.resource):
        if uid not in known:
            return Verdict(allowed=False, reason="invalid", errors=(f"no entity {uid}",))
    request = {
        "principal": _uid(question.principal),
        "action": _uid(("Action", question.action)),
        "resource": _uid(question.resource),
        "context": {},
    }
    result = cedarpy.is_authorized(request, compiled.policies, handle, compiled.schema)
    reasons, errors = tuple(sorted(result.diagnostics.reasons)), tuple(result.diagnostics.errors)
    # INVARIANT: an error never allows. A forbid that failed was skipped, and it may have been the one that mattered.
    if result.decision is cedarpy.Decision.NoDecision:
        return Verdict(allowed=False, reason="invalid", errors=errors)
    if errors:
        return Verdict(allowed=False, reason="error", policies=reasons, errors=errors)
    if result.decision is cedarpy.Decision.Allow:
        return Verdict(allowed=True, reason="permitted", policies=reasons)
    return Verdict(allowed=False, reason="forbidden" if reasons else "no-permit", policies=reasons)


def _referenced(entities: Sequence[Entity]) -> Iterator[Uid]:
    for entity in entities:
        yield from entity.parents
        for value in entity.attributes.values():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Reference):
                    yield item.uid


def _uid(uid: Uid) -> dict[str, str]:
    return {"type": uid[0], "id": uid[1]}


def _plain(entity: Entity) -> dict[str, object]:
    attributes = {name: _value(value) for name, value in entity.attributes.items()}
    return {"uid": _uid(entity.uid), "attrs": attributes, "parents": [_uid(parent) for parent in entity.parents]}


def _value(value: AttributeValue) -> object:
    if isinstance(value, Reference):
        return {"__entity": _uid(value.uid)}
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return value
