"""Address ranges and name spaces: each address and each name belongs to exactly one domain. Pure."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from core.registry import ancestry
from core.registry.errors import Fault
from core.registry.places import Places
from core.registry.province import DomainEntry

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: A range with the domain that claims it, and the line where it does.
Claim = tuple[Network, str, int]


def ranges(domains: Sequence[DomainEntry], places: Places) -> Iterator[Fault]:
    """Return a fault for what is no range, and for every range that shares an address with another."""
    claims: list[Claim] = []
    for domain in domains:
        for text in domain.addresses:
            line = places.line("domain", domain.id, "addresses", text)
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                complaint = f"`{text[:80]}` is not a range of addresses: {str(error)[:120]}"
                yield Fault(line, complaint, "addresses", "write it like 10.20.0.0/16 or fd00:20::/64")
                continue
            claims.append((network, domain.id, line))
            if str(network) != text:
                yield Fault(line, f"`{text[:80]}` is written `{network}`", "addresses", f"write `{network}`")
    yield from _overlaps(claims)


def _overlaps(claims: Sequence[Claim]) -> Iterator[Fault]:
    """Return a fault for every range that shares an address with one before it, whatever their domains."""
    ordered = sorted(claims, key=lambda item: (item[0].version, int(item[0].network_address), item[0].prefixlen))
    widest: Claim | None = None
    for network, domain, line in ordered:
        if widest is not None and _overlap(widest[0], network):
            other, owner, where = widest
            complaint = f"`{network}` of `{domain}` overlaps `{other}` of `{owner}`"
            yield Fault(
                max(line, where), complaint, "addresses", "an address belongs to one domain: shorten one of the two"
            )
        if widest is None or not _overlap(widest[0], network) or network.prefixlen < widest[0].prefixlen:
            widest = (network, domain, line)


def _overlap(left: Network, right: Network) -> bool:
    return left.version == right.version and left.overlaps(right)


def name_spaces(domains: Sequence[DomainEntry], parents: Mapping[str, str | None], places: Places) -> Iterator[Fault]:
    """Return a fault where a name space equals, or lies in, that of a domain which is not its ancestor."""
    owners = {domain.name_space: domain.id for domain in reversed(domains)}
    lineage = ancestry.Lineage(parents)
    for domain in domains:
        space = domain.name_space
        if not space:
            continue
        if owners[space] != domain.id:
            line = places.first(("domain", domain.id, "name_space"), ("domain", owners[space], "name_space"))
            complaint = f"the name space `{space}` belongs to `{owners[space]}` already"
            yield Fault(line, complaint, "name_space", "give each domain a name space of its own")
        labels = space.split(".")
        for depth in range(1, len(labels)):
            owner = owners.get(".".join(labels[depth:]))
            if owner is not None and not lineage.is_above(owner, domain.id):
                line = places.first(("domain", domain.id, "name_space"), ("domain", owner, "name_space"))
                complaint = f"the name space `{space}` lies in that of `{owner}`, which is not above"
                yield Fault(line, complaint, "name_space", f"make `{owner}` its `parent`, or choose another name")


def owner(host: str, owners: Mapping[str, str]) -> str:
    """Return the domain that a name belongs to, of those that own name spaces (the narrowest), or nothing (empty)."""
    labels = host.split(".")
    return next((owners[rest] for depth in range(len(labels)) if (rest := ".".join(labels[depth:])) in owners), "")
