"""Policies: read, checked, cut into slices per (security domain, action). Pure but for ``load``, which reads the files.

effective(domain, action) = guard-rails (forbid only) + the domain's own policies. A forbid wins in Cedar whatever the
order, so a domain can only narrow what the guard-rails leave.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import cedarpy
from cedarpy import pst

from authz import engine, lint
from authz.errors import PolicyRejected
from core.identity import SITE, DomainId

ENGINE_VERSION = f"cedarpy {version('cedarpy')}"

GUARDRAILS = "guardrails"
ADMINISTRATION = "administration"

#: Where the policies that come with the product are.
SHIPPED = Path(__file__).parent / "policies"
SCHEMA = Path(__file__).parent / "schema.cedarschema"


@dataclass(frozen=True, slots=True)
class PolicyText:
    """What a person needs to know of a policy; ``scope`` is the domain it belongs to, or ``guardrails``."""

    identifier: str
    title: str
    basis: str
    effect: str
    scope: str


@dataclass(frozen=True, slots=True)
class Slice:
    """What decides one action in one domain; ``single`` holds each policy alone, to explain the whole."""

    whole: engine.CompiledSet
    single: Mapping[str, engine.CompiledSet]


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything in force. ``digest`` (64 hexadecimal digits) names texts, schema and engine version together."""

    digest: str
    texts: Mapping[str, PolicyText]
    slices: Mapping[tuple[DomainId, str], Slice]

    def find(self, domain: DomainId, action: str) -> Slice | None:
        """Return the slice, or nothing when no policy of ``domain`` names ``action``."""
        return self.slices.get((domain, action))

    def actions(self, domain: DomainId) -> frozenset[str]:
        """Return the actions that the policies of ``domain`` name."""
        return frozenset(action for owner, action in self.slices if owner == domain)


def load(folder: Path = SHIPPED) -> Policies:
    """Read ``guardrails.cedar``, ``administration.cedar`` and one ``<domain>.cedar`` per domain from ``folder``.

    Raises ``PolicyRejected`` with every fault.
    """
    texts = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.cedar"))}
    missing = [name for name in (GUARDRAILS, ADMINISTRATION) if name not in texts]
    if missing:
        raise PolicyRejected(f"`{folder}` has no `{missing[0]}.cedar`", hint="restore the installation's policy folder")
    return compile_policies(texts, SCHEMA.read_text("utf-8"))


def compile_policies(texts: Mapping[str, str], schema: str) -> Policies:
    """Check and compile policy texts keyed by file stem. Raises ``PolicyRejected`` with every fault."""
    if SITE in texts:
        raise PolicyRejected(f"`{SITE}` names the installation itself, its policies are `{ADMINISTRATION}.cedar`")
    trees = {name: _parse(name, text) for name, text in texts.items()}
    faults = _lint(trees)
    if faults:
        raise PolicyRejected("; ".join(faults))
    domains = {_domain(name): tree for name, tree in trees.items() if name != GUARDRAILS}
    whole_schema = schema + _declare({action for tree in domains.values() for action in _named(tree)}, schema)
    faults = [f"{name}: {fault}" for name, text in texts.items() for fault in engine.validate(text, whole_schema)]
    if faults:
        raise PolicyRejected("; ".join(faults))
    slices = {
        (domain, action): _slice(trees[GUARDRAILS], tree, action, whole_schema)
        for domain, tree in domains.items()
        for action in _named(tree)
    }
    return Policies(_digest(texts, whole_schema), _describe(trees), slices)


def _domain(name: str) -> DomainId:
    return SITE if name == ADMINISTRATION else DomainId(name)


def _parse(name: str, text: str) -> list[pst.Template]:
    try:
        tree = cedarpy.policies_to_pst(text)
    except ValueError as error:
        raise PolicyRejected(f"{name}: the text cannot be read: {error}") from error
    return [*tree.templates.values(), *tree.static_policies.values()]


def _lint(trees: Mapping[str, list[pst.Template]]) -> list[str]:
    faults: list[str] = []
    seen: dict[str, str] = {}
    for name, tree in trees.items():
        for policy in tree:
            found = lint.faults(policy, guardrail=name == GUARDRAILS, pin=_pin(name))
            identifier = policy.annotations.get("id", "")
            if identifier in seen:
                found.append(f"its @id is already used in {seen[identifier]}")
            seen.setdefault(identifier, name)
            faults += [f"{name} `{identifier or policy.id}`: {fault}" for fault in found]
    return faults


def _pin(name: str) -> pst.ScopeIn | pst.ScopeEq:
    if name == ADMINISTRATION:
        return pst.ScopeEq(pst.EntityUid(pst.EntityType("Installation"), SITE))
    return pst.ScopeIn(pst.EntityUid(pst.EntityType("SecurityDomain"), name))


def _named(tree: list[pst.Template]) -> set[str]:
    return {action for policy in tree for action in lint.actions(policy) or ()}


def _declare(actions: set[str], schema: str) -> str:
    # A domain makes an action by naming it. No action is in a group: slicing by name would not be sound otherwise.
    own = sorted(action for action in actions if f'"{action}"' not in schema)
    if not own:
        return ""
    names = ", ".join(f'"{action}"' for action in own)
    return f"\naction {names} appliesTo {{ principal: [Person], resource: [Resource] }};\n"


def _slice(guardrails: list[pst.Template], own: list[pst.Template], action: str, schema: str) -> Slice:
    chosen: dict[str, pst.Template] = {}
    for policy in (*guardrails, *own):
        named = lint.actions(policy)
        if named is None or action in named:
            identifier = policy.annotations["id"]
            chosen[identifier] = replace(policy, id=identifier)
    single = {name: engine.compile_set({name: policy}, schema) for name, policy in chosen.items()}
    return Slice(engine.compile_set(chosen, schema), single)


def _describe(trees: Mapping[str, list[pst.Template]]) -> dict[str, PolicyText]:
    return {
        policy.annotations["id"]: PolicyText(
            identifier=policy.annotations["id"],
            title=policy.annotations["title"],
            basis=policy.annotations["basis"],
            effect=policy.effect,
            scope=name,
        )
        for name, tree in trees.items()
        for policy in tree
    }


def _digest(texts: Mapping[str, str], schema: str) -> str:
    digest = hashlib.sha256()
    for part in (ENGINE_VERSION, schema, *(f"{name}\n{texts[name]}" for name in sorted(texts))):
        content = part.encode()
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()
