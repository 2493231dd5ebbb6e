"""The policy graph: the same verdicts as the tree of RFC 5280, without the tree's growth."""

import time
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as some

from pki.errors import RefusedPath
from pki.validation import certificate, path, policy
from pki.validation.extension import ANY_POLICY
from pki.validation.path import LONGEST
from pki.validation.process import Parameters
from tests.pki.validation.chains import AUTHORITY, NOW, Extensions, anchor, make, validate

ANY = ANY_POLICY
NAMES = [ANY, b"A", b"B", b"C"]


@dataclass(eq=False)
class Node:
    """A node of the tree of RFC 5280, 6.1.2 (a)."""

    policy: bytes
    expected: set[bytes]
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)

    def add(self, valid: bytes, expected: set[bytes]) -> None:
        self.children.append(Node(valid, expected, self))


def at_depth(root: Node, depth: int) -> list[Node]:
    found = [root]
    for _ in range(depth):
        found = [child for node in found for child in node.children]
    return found


def prune(node: Node, depth: int) -> bool:
    """Delete, below ``node``, what has no child before ``depth``; return whether the node itself stays."""
    if depth == 0:
        return True
    node.children = [child for child in node.children if prune(child, depth - 1)]
    return bool(node.children)


def extend(root: Node | None, depth: int, policies: set[bytes], any_counts: bool) -> Node | None:
    """6.1.3 (d), as RFC 5280 wrote it."""
    if root is None:
        return None
    above = at_depth(root, depth - 1)
    for one in policies - {ANY}:
        matching = [node for node in above if one in node.expected]
        for node in matching or [node for node in above if node.policy == ANY]:
            node.add(one, {one})
    if ANY in policies and any_counts:
        for node in above:
            for one in node.expected - {child.policy for child in node.children}:
                node.add(one, {one})
    return root if prune(root, depth) else None


def map_policies(root: Node, depth: int, mappings: dict[bytes, frozenset[bytes]], allowed: bool) -> Node | None:
    """6.1.4 (b), as RFC 5280 wrote it."""
    for one, subjects in mappings.items():
        nodes = at_depth(root, depth)
        matching = [node for node in nodes if node.policy == one]
        for node in matching:
            if allowed:
                node.expected = set(subjects)
            elif node.parent is not None:
                node.parent.children.remove(node)
        if allowed and not matching:
            for parent in {node.parent for node in nodes if node.policy == ANY and node.parent is not None}:
                parent.add(one, set(subjects))
    return root if prune(root, depth) else None


def constrained(root: Node | None, depth: int, initial: frozenset[bytes]) -> set[bytes]:
    """6.1.5 (g), as RFC 5280 wrote it: the policies of the nodes that stay, as the anchor's domain calls them."""
    if root is None:
        return set()
    everywhere = [node for level in range(depth) for node in at_depth(root, level)]
    own = {child.policy for node in everywhere if node.policy == ANY for child in node.children} - {ANY}
    with_any = any(node.policy == ANY for node in at_depth(root, depth))
    if ANY in initial:
        return own | ({ANY} if with_any else set())
    return set(initial) if with_any else own & initial


SETS = some.sets(some.sampled_from(NAMES), max_size=4)
MAPPINGS = some.dictionaries(
    some.sampled_from(NAMES[1:]), some.frozensets(some.sampled_from(NAMES[1:]), min_size=1), max_size=3
)
STEPS = some.lists(some.tuples(SETS, some.booleans(), MAPPINGS, some.booleans()), min_size=1, max_size=5)


@given(steps=STEPS, initial=some.frozensets(some.sampled_from(NAMES), min_size=1))
@settings(deadline=None, max_examples=300)
def test_graph_says_what_the_tree_says(
    steps: list[tuple[set[bytes], bool, dict[bytes, frozenset[bytes]], bool]], initial: frozenset[bytes]
) -> None:
    initial = frozenset({ANY}) if ANY in initial else initial
    root: Node | None = Node(ANY, {ANY})
    graph: policy.Graph | None = policy.START
    for depth, (policies, any_counts, mappings, allowed) in enumerate(steps, 1):
        root = extend(root, depth, policies, any_counts)
        graph = graph and policy.extend(graph, frozenset(policies), any_counts=any_counts)
        assert (root is None) == (graph is None)
        if depth < len(steps) and root is not None and graph is not None:
            root = map_policies(root, depth, mappings, allowed)
            graph = policy.map_policies(graph, mappings, allowed=allowed)
            assert (root is None) == (graph is None)
    assert policy.constrained(graph, initial) == constrained(root, len(steps), initial)


def oid(last: int) -> x509.ObjectIdentifier:
    return x509.ObjectIdentifier(f"1.2.3.{last}")


def policies(*which: int) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(oid(one), None) for one in which])


def test_mappings_that_make_the_tree_explode_take_no_time() -> None:
    """Each of eight policies counts as all eight below (RFC 9618, 3): a tree would have 8^14 leaves."""
    every = range(8)
    kinds: Extensions = [
        *AUTHORITY,
        (policies(*every), False),
        (x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None), True),
    ]
    mapping = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("2.5.29.33"), mapped([(a, b) for a in every for b in every])
    )
    names = ["Root", *(f"Mapping {place}" for place in range(LONGEST))]
    chain = [make(names[place + 1], names[place], [*kinds, (mapping, False)]) for place in range(LONGEST - 1)]
    start = time.process_time()
    proven = validate([*chain, make("last", names[LONGEST - 1], [(policies(0), False)])])
    assert time.process_time() - start < 1
    assert certificate.element.octets_of("1.2.3.0") in proven.policies


def mapped(pairs: list[tuple[int, int]]) -> bytes:
    """Encode PolicyMappings (RFC 5280, 4.2.1.5)."""
    parts = [b"".join(b"\x06\x03\x2a\x03" + bytes([one]) for one in pair) for pair in pairs]
    content = b"".join(b"\x30" + bytes([len(part)]) + part for part in parts)
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def test_required_policy_that_is_missing_is_refused() -> None:
    above = make("Authority 1", "Root", [*AUTHORITY, (policies(1), False)])
    last = make("last", "Authority 1", [(policies(2), False)])
    validate([above, last])
    parsed = [certificate.parse(one) for one in (above, last)]
    with pytest.raises(RefusedPath) as caught:
        path.validate(parsed, anchor(), Parameters(now=NOW, explicit_policy=True))
    assert (caught.value.word, caught.value.section) == ("no-valid-policy", "6.1.3 (f)")


def test_last_certificate_can_require_a_policy_for_itself() -> None:
    """6.1.5 (b): as soon as it says 0, the path must be good for one."""
    for after, expected in ((0, "no-valid-policy"), (1, "accepted")):
        limits = x509.PolicyConstraints(require_explicit_policy=after, inhibit_policy_mapping=None)
        assert word(make("last", "Root", [(limits, True)])) == expected
        assert word(make("last", "Root", [(limits, True), (policies(1), False)])) == "accepted"


def word(content: bytes) -> str:
    try:
        validate([content])
    except RefusedPath as error:
        return error.word
    return "accepted"


def test_more_policies_than_anybody_has_are_refused() -> None:
    with pytest.raises(RefusedPath) as caught:
        certificate.parse(make("last", "Root", [(policies(*range(39), *range(40, 80)), False)]))
    assert caught.value.word == "too-much"


def test_critical_policy_with_an_unknown_qualifier_is_refused() -> None:
    value = bytes.fromhex("300e300c06032a03013005300306012a")
    known = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.32"), value)
    validate([make("last", "Root", [(known, False)])])
    with pytest.raises(RefusedPath) as caught:
        validate([make("last", "Root", [(known, True)])])
    assert caught.value.word == "critical-extension"
