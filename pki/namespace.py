"""An authority's name space: what may stand in certificates below it (name constraints, RFC 5280, 4.2.1.10). Pure."""

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from core.errors import Malformed
from pki.errors import ForeignName

#: What every machine calls itself: it is nobody's name, and every profile with host names lets it stand.
LOCAL_HOST, LOCAL_ADDRESSES = "localhost", ("127.0.0.0/8", "::1/128")


_EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class NameSpace:
    """Permitted host names (each with all below it) and addresses (CIDR), and host names that are excluded.

    Without permitted host names only what is excluded is constrained; with them, addresses must be permitted too.
    """

    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def is_free(self) -> bool:
        """Say whether nothing is constrained."""
        return not (self.hosts or self.addresses or self.excluded)

    def to_json(self) -> str:
        """Return the text that ``parse`` reads."""
        return json.dumps({"hosts": self.hosts, "addresses": self.addresses, "excluded": self.excluded})


def parse(text: str) -> NameSpace:
    """Read what ``to_json`` wrote."""
    read = json.loads(text)
    return NameSpace(*(tuple(read[name]) for name in ("hosts", "addresses", "excluded")))


def of_domains(hosts: Sequence[str], addresses: Sequence[str]) -> NameSpace:
    """Return the name space of an authority for domains with these name spaces and address ranges."""
    return NameSpace((*hosts, LOCAL_HOST), (*addresses, *LOCAL_ADDRESSES))


def constraints(space: NameSpace) -> x509.NameConstraints:
    """Return the extension; raises ``Malformed`` for what is no range of addresses."""
    try:
        ranges = [x509.IPAddress(ipaddress.ip_network(one)) for one in space.addresses]
    except ValueError as error:
        raise Malformed(f"a range of addresses cannot be read: {error}") from error
    permitted = [*(x509.DNSName(one) for one in space.hosts), *ranges]
    excluded: list[x509.GeneralName] = [x509.DNSName(one) for one in space.excluded]
    if space.hosts and not ranges:
        # A form of which nothing is permitted would be free.
        excluded += [x509.IPAddress(ipaddress.ip_network(one)) for one in _EVERYWHERE]
    return x509.NameConstraints(permitted or None, excluded or None)


def check(space: NameSpace, hosts: Sequence[str], addresses: Sequence[str], authority: str) -> None:
    """Raise ``ForeignName`` unless a certificate with these names would be valid below ``authority``."""
    for host in hosts:
        if (space.hosts and not _is_below(host, space.hosts)) or _is_below(host, space.excluded):
            raise _outside(host, authority)
    ranges = [ipaddress.ip_network(one) for one in space.addresses]
    for text in addresses:
        if (ranges or space.hosts) and not any(ipaddress.ip_address(text) in one for one in ranges):
            raise _outside(text, authority)


def _is_below(host: str, suffixes: Sequence[str]) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in suffixes)


def _outside(name: str, authority: str) -> ForeignName:
    detail = f"`{name}` lies outside the name constraints of the authority `{authority}`"
    return ForeignName(detail, hint="when the domain's own names have changed: `guosuo ca renew`")
