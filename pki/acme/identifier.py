"""What a certificate may be ordered for: host names and addresses that the register gives the holder. Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.errors import TrustError
from pki import names
from pki.acme.errors import RejectedIdentifier, Subproblem, UnsupportedIdentifier
from pki.names import Holder

#: Most identifiers of one order.
MOST = 20


class IdentifierKind(StrEnum):
    """Kinds of identifiers (RFC 8555, 9.7.7; RFC 8738)."""

    DNS = "dns"
    IP = "ip"


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """A host name or an address, as it was written."""

    kind: IdentifierKind
    value: str


def read(kind: str, value: str) -> Identifier:
    """Return an identifier; raises ``UnsupportedIdentifier``."""
    if kind not in tuple(IdentifierKind):
        raise UnsupportedIdentifier(f"`{kind[:20]}` is no kind of identifier", hint="`dns` or `ip`")
    return Identifier(IdentifierKind(kind), value)


def check(holder: Holder, identifiers: Sequence[Identifier]) -> None:
    """Raise ``RejectedIdentifier`` with a subproblem for each identifier that the register does not give ``holder``."""
    found = [Subproblem("rejectedIdentifier", told, *one) for one, told in _faults(holder, identifiers)]
    if not found:
        return
    first = found[0].detail if len(found) == 1 else f"{len(found)} of the identifiers are not yours"
    raise RejectedIdentifier(first, subproblems=found, hint="see `guosuo register show` for the domain")


def hosts(identifiers: Sequence[Identifier]) -> tuple[str, ...]:
    """Return the host names among them, in their order."""
    return tuple(one.value for one in identifiers if one.kind is IdentifierKind.DNS)


def addresses(identifiers: Sequence[Identifier]) -> tuple[str, ...]:
    """Return the addresses among them, in their order."""
    return tuple(one.value for one in identifiers if one.kind is IdentifierKind.IP)


def is_inside(address: str, ranges: Sequence[str]) -> bool:
    """Return whether an address lies in one of the ranges (CIDR) of a domain."""
    wanted = ipaddress.ip_address(address)
    return any(wanted in ipaddress.ip_network(cidr) for cidr in ranges)


def _faults(holder: Holder, identifiers: Sequence[Identifier]) -> list[tuple[tuple[str, str], str]]:
    found = []
    for one in identifiers:
        told = _fault(holder, one)
        if told:
            found.append(((one.kind.value, one.value[: names.LONGEST_HOST]), told))
    return found


def _fault(holder: Holder, one: Identifier) -> str:
    """Return what is wrong with an identifier, or nothing."""
    if one.kind is IdentifierKind.IP:
        return _address_fault(holder, one.value)
    try:
        names.check_hosts(holder, [one.value])
    except TrustError as error:
        return error.detail
    # This machine's own name is nobody's else: what holds for the service itself does not hold for who asks here.
    return f"`{one.value}` is the name of no machine of `{holder.domain}`" if one.value == "localhost" else ""


def _address_fault(holder: Holder, text: str) -> str:
    try:
        written = str(ipaddress.ip_address(text))
    except ValueError:
        return f"`{text[:80]!a}` is no address"
    if "%" in text:
        return f"`{text[:80]!a}` names a link of one machine, not an address"
    if written != text:
        return f"`{text[:80]}` is written `{written}` (RFC 8738, 3)"
    return "" if is_inside(text, holder.ranges) else f"`{text}` lies outside the addresses of `{holder.domain}`"
