"""What a register must keep: references that lead somewhere, no cycles, no overlap, no orphan. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from core.registry.errors import Fault

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def duplicates(kind: str, identifiers: Sequence[tuple[str, int]]) -> list[Fault]:
    """Return a fault for every id that was used before."""
    first: dict[str, int] = {}
    faults = []
    for identifier, line in identifiers:
        if identifier in first:
            faults.append(Fault(line, f"{kind} `{identifier}` stands already in line {first[identifier]}"))
        first.setdefault(identifier, line)
    return faults


def cycles(kind: str, parents: Mapping[str, str | None], lines: Mapping[str, int]) -> list[Fault]:
    """Return a fault for every entry that is its own ancestor."""
    faults = []
    for start in parents:
        seen, current = {start}, parents[start]
        while current is not None and current in parents and current not in seen:
            seen.add(current)
            current = parents[current]
        if current == start:
            faults.append(Fault(lines[start], f"{kind} `{start}` is its own ancestor"))
    return faults


def parse_networks(ranges: Iterable[tuple[str, str, int]]) -> tuple[list[tuple[Network, str, int]], list[Fault]]:
    """Read (CIDR, domain, line) into networks; host bits set, or nonsense, is a fault."""
    networks, faults = [], []
    for text, domain, line in ranges:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            faults.append(Fault(line, f"`{text[:80]}` is not a range of addresses: {str(error)[:120]}"))
            continue
        networks.append((network, domain, line))
        if str(network) != text:
            faults.append(Fault(line, f"`{text[:80]}` is written `{network}`"))
    return networks, faults


def overlaps(networks: Sequence[tuple[Network, str, int]]) -> list[Fault]:
    """Return a fault for every range that shares an address with one before it, whatever their domains."""
    faults = []
    ordered = sorted(networks, key=lambda item: (item[0].version, int(item[0].network_address), item[0].prefixlen))
    widest: tuple[Network, str, int] | None = None
    for network, domain, line in ordered:
        if widest is not None and _overlap(widest[0], network):
            other, owner, where = widest
            faults.append(Fault(max(line, where), f"`{network}` of `{domain}` overlaps `{other}` of `{owner}`"))
        if widest is None or not _overlap(widest[0], network) or network.prefixlen < widest[0].prefixlen:
            widest = (network, domain, line)
    return faults


def _overlap(left: Network, right: Network) -> bool:
    return left.version == right.version and left.overlaps(right)


def name_space_overlaps(spaces: Sequence[tuple[str, str, int]], parents: Mapping[str, str | None]) -> list[Fault]:
    """Return a fault where a name space (suffix, domain, line) equals or lies in that of a domain not its ancestor."""
    faults = []
    owners = {space: domain for space, domain, _line in reversed(spaces)}
    for space, domain, line in spaces:
        if owners[space] != domain:
            faults.append(Fault(line, f"the name space `{space}` belongs to `{owners[space]}` already"))
        labels = space.split(".")
        for depth in range(1, len(labels)):
            owner = owners.get(".".join(labels[depth:]))
            if owner is not None and owner not in _ancestors(domain, parents):
                faults.append(Fault(line, f"the name space `{space}` lies in that of `{owner}`, which is not above"))
    return faults


def _ancestors(domain: str, parents: Mapping[str, str | None]) -> set[str]:
    found: set[str] = set()
    current = parents.get(domain)
    while current is not None and current not in found:
        found.add(current)
        current = parents.get(current)
    return found
