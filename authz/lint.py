"""Our own rules for policies, on Cedar's typed tree: what strict validation cannot see, but safety needs. Pure.

Only three things can fail in a valid policy: a missing entity, an extension function, an arithmetic overflow. The
engine rules out the first, this module keeps the other two out of every ``forbid``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from cedarpy import pst

_ARITHMETIC = frozenset({"add", "sub", "mul", "neg"})

#: The operators that cannot fail on well-typed values; everything else that is an operator is an extension call.
_SAFE = frozenset(
    {"not", "is_empty", "eq", "not_eq", "less", "less_eq", "greater", "greater_eq", "and", "or", "in"}
    | {"contains", "contains_all", "contains_any"}
)

_ANNOTATIONS = ("id", "title", "basis")

#: An action's name, as it is written into the schema: ``budget:read``, ``pki:certificate:issue``.
_ACTION = re.compile(r"[a-z][a-z0-9-]*(:[a-z][a-z0-9-]*){1,3}")

#: A policy's ``@id``.
_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{0,62}")


def actions(policy: pst.Template) -> frozenset[str] | None:
    """Return the actions a policy names, or nothing when it holds for every action."""
    if isinstance(policy.action, pst.ActionEq):
        return frozenset({policy.action.entity.id})
    if isinstance(policy.action, pst.ActionIn):
        return frozenset(entity.id for entity in policy.action.entities)
    return None


def faults(policy: pst.Template, *, guardrail: bool, pin: pst.ScopeIn | pst.ScopeEq) -> list[str]:
    """Return what is wrong with ``policy``; ``pin`` is the resource scope that a domain's policy must have."""
    found = [f"@{name} is missing" for name in _ANNOTATIONS if not policy.annotations.get(name, "").strip()]
    if any(isinstance(node, pst.Slot) for node in _nodes(policy)):
        found.append("templates with slots are not allowed, grants are data")
    if not _IDENTIFIER.fullmatch(policy.annotations.get("id", "")):
        found.append("its @id is not made of small letters, digits and hyphens")
    found += [f"`{name}` is not an action's name" for name in actions(policy) or () if not _ACTION.fullmatch(name)]
    found += _guardrail_faults(policy) if guardrail else _domain_faults(policy, pin)
    found += _expression_faults(policy)
    return found


def _guardrail_faults(policy: pst.Template) -> list[str]:
    found = [] if policy.effect == "forbid" else ["a guard-rail may only forbid"]
    if actions(policy) is not None:
        found.append("a guard-rail holds for every action, a domain could name a new one otherwise")
    return found


def _domain_faults(policy: pst.Template, pin: pst.ScopeIn | pst.ScopeEq) -> list[str]:
    found = []
    if policy.resource != pin:
        found.append("its resource is not pinned to its own domain")
    if policy.effect == "permit" and actions(policy) is None:
        found.append("a permit names its actions")
    return found


def _expression_faults(policy: pst.Template) -> list[str]:
    found = []
    if any(isinstance(clause.expr, pst.BoolLit) for clause in policy.clauses):
        found.append("a condition that is always the same decides nothing")
    for node in _nodes(tuple(policy.clauses)):
        if isinstance(node, pst.GetAttr) and isinstance(node.base, pst.EntityLit):
            found.append("an attribute of an entity named in the policy may not exist")
        if policy.effect == "forbid" and isinstance(node, pst.UnaryOp | pst.BinaryOp) and node.op not in _SAFE:
            what = "arithmetic" if node.op in _ARITHMETIC else "the extension function"
            found.append(f"{what} `{node.op}` may fail, and a forbid that fails is skipped")
    return found


def _nodes(root: object) -> Iterator[object]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Mapping):
            stack.extend(node.values())
        elif isinstance(node, tuple):
            stack.extend(node)
        elif is_dataclass(node) and not isinstance(node, type):
            stack.extend(getattr(node, item.name) for item in fields(node))
