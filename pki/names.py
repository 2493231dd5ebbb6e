"""Names: what the register says a holder is called, and whether a request says anything else. Pure."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.errors import BadHostName, ForeignName, WildcardName

#: Most octets of a common name, and of a host name (RFC 5280, A.1; RFC 1035, 2.3.4).
LONGEST_COMMON_NAME, LONGEST_HOST = 64, 253

#: Labels of letters, digits and hyphens (RFC 1123, 2.1), in the one spelling that is compared.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder as the register has it; ``name_space`` to ``network`` are those of its security domain."""

    kind: str
    identifier: str
    name: str
    organisation: str
    domain: str
    name_space: str
    ranges: tuple[str, ...]
    level: int = 1
    network: str = "outer"


#: What a subject consists of, in this order.
COUNTRY = NameOID.COUNTRY_NAME
ATTRIBUTES = (COUNTRY, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME, NameOID.USER_ID)


def subject_attributes(holder: Holder, hosts: Sequence[str] = ()) -> tuple[tuple[x509.ObjectIdentifier, str], ...]:
    """Return the subject: country, department, name and id, all from the register.

    With host names the first that fits is the common name: many programs take what stands there for one, and would ask
    for a certificate over the register's title the next time.
    """
    common = next((host for host in hosts if len(host) <= LONGEST_COMMON_NAME), _shortened(holder.name))
    values = ("CN", holder.organisation, common, holder.identifier)
    return tuple(zip(ATTRIBUTES, values, strict=True))


def urn(holder: Holder) -> str:
    """Return the name that says whom a certificate stands for."""
    return f"urn:guosuo:{holder.kind}:{holder.identifier}"


def _shortened(name: str) -> str:
    """Cut a name to the 64 octets that every reader takes as a common name (RFC 5280, A.1); the id tells apart."""
    return name.encode()[:LONGEST_COMMON_NAME].decode("utf-8", errors="ignore")


def check_hosts(holder: Holder, hosts: Sequence[str]) -> None:
    """Raise unless every host lies in the holder's name space (or is this machine's own ``localhost``)."""
    for host in hosts:
        if "*" in host:
            raise WildcardName(f"`{host}` is a wildcard", hint="name every host")
        if not _HOST.fullmatch(host) or len(host) > LONGEST_HOST:
            raise BadHostName(
                f"`{host[:80]!a}` is no host name", hint="lower-case letters, digits and hyphens, with dots"
            )
        inside = host == holder.name_space or host.endswith("." + holder.name_space)
        if host != "localhost" and not inside:
            raise ForeignName(f"`{host}` lies outside the name space `{holder.name_space}` of `{holder.domain}`")


def check_addresses(holder: Holder, addresses: Sequence[str]) -> None:
    """Raise ``ForeignName`` unless every address lies in the holder's domain (or is this machine's own)."""
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError as error:
            raise ForeignName(f"`{text}` is no address") from error
        if not address.is_loopback and not any(address in ipaddress.ip_network(cidr) for cidr in holder.ranges):
            raise ForeignName(f"`{text}` lies outside the addresses of `{holder.domain}`")


def canonical_address(text: str) -> str:
    """Return the one spelling of an address that ``check_addresses`` has let through."""
    return str(ipaddress.ip_address(text))


def check_subject(holder: Holder, name: x509.Name, *, hosts: Sequence[str] = ()) -> None:
    """Raise ``ForeignName`` when a request's subject says anything that the register does not.

    A common name may also be one of the ``hosts`` that were asked for, which are judged by themselves: many programs
    still write one there (RFC 8555, 7.4). The certificate's subject is the register's in any case.
    """
    allowed: dict[x509.ObjectIdentifier, tuple[str, ...]] = {
        NameOID.USER_ID: (holder.identifier,),
        NameOID.COMMON_NAME: (holder.identifier, holder.name, _shortened(holder.name), *hosts),
        NameOID.ORGANIZATION_NAME: (holder.organisation,),
        NameOID.ORGANIZATIONAL_UNIT_NAME: (holder.organisation,),
        NameOID.COUNTRY_NAME: ("CN",),
    }
    for attribute in name:
        value = str(attribute.value)
        if "*" in value:
            raise WildcardName(f"`{value}` is a wildcard", hint="name every host")
        if value not in allowed.get(attribute.oid, ()):
            said = attribute.rfc4514_attribute_name
            raise ForeignName(
                f"the request says {said}=`{value}`, the register does not say so of `{holder.identifier}`",
                hint="leave the subject to the register, or correct the register first",
            )
