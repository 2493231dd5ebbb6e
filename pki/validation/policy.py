"""Certificate policies along a path: the graph of RFC 9618, which replaces the tree of RFC 5280, 6.1.2 (a). Pure.

One node for each policy at each depth, however many ways lead to it: the tree grows exponentially with hostile
mappings, the graph by at most the policies of one certificate.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pki.validation.extension import ANY_POLICY


class Node(NamedTuple):
    """What is expected below a policy, and the policies one depth above that it comes from."""

    expected: frozenset[bytes]
    parents: tuple[bytes, ...]


#: The valid policies of each depth, the trust anchor's first. A graph that became empty is ``None``.
Graph = tuple[Mapping[bytes, Node], ...]

#: Only anyPolicy, at depth 0 (6.1.2 (a)).
START: Graph = ({ANY_POLICY: Node(frozenset({ANY_POLICY}), ())},)


def extend(graph: Graph, policies: frozenset[bytes], *, any_counts: bool) -> Graph | None:
    """Add a certificate's policies below ``graph`` (RFC 9618, 5.3; 6.1.3 (d))."""
    above = graph[-1]
    expecting = _expecting(above)
    nodes: dict[bytes, Node] = {}
    # (1) What was expected, or what anyPolicy above stands for.
    for policy in policies - {ANY_POLICY}:
        parents = expecting.get(policy) or ((ANY_POLICY,) if ANY_POLICY in above else ())
        if parents:
            nodes[policy] = Node(frozenset({policy}), parents)
    # (2) anyPolicy here stands for all that was expected and is not named.
    if ANY_POLICY in policies and any_counts:
        for policy, parents in expecting.items():
            nodes.setdefault(policy, Node(frozenset({policy}), parents))
    return _pruned((*graph, nodes))


def _expecting(above: Mapping[bytes, Node]) -> dict[bytes, tuple[bytes, ...]]:
    """Return, for each policy that is expected, by which nodes."""
    found: dict[bytes, list[bytes]] = {}
    for policy, node in above.items():
        for expected in node.expected:
            found.setdefault(expected, []).append(policy)
    return {expected: tuple(parents) for expected, parents in found.items()}


def map_policies(graph: Graph, mappings: Mapping[bytes, frozenset[bytes]], *, allowed: bool) -> Graph | None:
    """Apply policy mappings at the last depth, or cut off what is mapped when that is not allowed (6.1.4 (b))."""
    nodes = dict(graph[-1])
    for policy, subjects in mappings.items():
        if not allowed:
            nodes.pop(policy, None)
        elif policy in nodes:
            nodes[policy] = nodes[policy]._replace(expected=subjects)
        elif ANY_POLICY in nodes:
            nodes[policy] = Node(subjects, (ANY_POLICY,))
    return _pruned((*graph[:-1], nodes))


def _pruned(graph: Graph) -> Graph | None:
    """Take away, from below, every node without a child (6.1.3 (d)(3))."""
    kept: list[Mapping[bytes, Node]] = [graph[-1]]
    for depth in reversed(graph[:-1]):
        wanted = {parent for node in kept[-1].values() for parent in node.parents}
        kept.append({policy: node for policy, node in depth.items() if policy in wanted})
    return tuple(reversed(kept)) if kept[0] else None


def constrained(graph: Graph | None, initial: frozenset[bytes]) -> frozenset[bytes]:
    """Return the user-constrained-policy-set (RFC 9618, 5.5; 6.1.5 (g)): what of ``initial`` the path is good for."""
    if graph is None:
        return frozenset()
    authorities = {
        policy
        for depth in graph
        for policy, node in depth.items()
        if policy != ANY_POLICY and node.parents == (ANY_POLICY,)
    }
    if ANY_POLICY in initial:
        return frozenset(authorities | ({ANY_POLICY} & graph[-1].keys()))
    return initial if ANY_POLICY in graph[-1] else initial & authorities
