"""How the machines of a domain are looked at: resolved, and reached at an address that was checked, and nowhere else.

Whoever asks for a certificate says where we go. So it is never further than the address ranges that the register gives
their domain: every address of a name must lie there, the connection goes to one of these very addresses, and so it is
with every step of a redirection. What is sent and read is small, and all of it together ends after ten seconds.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from core.deadline import Deadline
from pki.acme import identifier as identifiers
from pki.acme.errors import NoTls, NotReached, NotResolved, NotShown, OutsideDomain
from pki.acme.identifier import Identifier, IdentifierKind
from pki.acme.settings import AcmeSettings
from pki.acme.shown import PROTOCOL, server_name

#: Seconds for one challenge in all, for each silence in it, and for each question to a resolver.
PATIENCE, SILENCE, RESOLVING = 10.0, 5.0, 5.0

#: Most octets of a file: a key authorization has 87. Most redirections, and most addresses of a name.
LARGEST, MOST_STEPS, MOST_ADDRESSES = 1_024, 5, 32

_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})

_PORT = 53


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request goes; ``host`` is a name or an address without brackets, ``path`` has its query."""

    secure: bool
    host: str
    path: str

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


class Network:
    """Looks at machines. Safe for many threads."""

    def __init__(self, settings: AcmeSettings, *, patience: float = PATIENCE, resolving: float = RESOLVING) -> None:
        """Ask the resolvers that are configured, or those of this machine; see the constants for the seconds."""
        self._settings = settings
        self._patience = patience
        self._resolver = dns.resolver.Resolver(configure=not settings.resolvers)
        if settings.resolvers:
            self._resolver.nameservers = [_nameserver(text) for text in settings.resolvers]
        self._resolver.lifetime = resolving

    def texts(self, name: str) -> list[str]:
        """Return the TXT records of a name. Raises ``NotResolved``."""
        answer = self._ask(name, "TXT")
        return [b"".join(record.strings).decode("ascii", "replace") for record in answer]

    def fetch(self, identifier: Identifier, path: str, ranges: Sequence[str]) -> bytes:
        """Return the file at ``path`` of a machine (http-01). Raises ``NotReached``, ``NotShown``, …"""
        place = _Place(secure=False, host=identifier.value, path=path)
        with Deadline(self._patience, silence=SILENCE) as deadline:
            for _ in range(MOST_STEPS + 1):
                status, location, body = self._get(deadline, place, ranges)
                if status not in _REDIRECTIONS:
                    break
                place = self._redirected(place, location)
            else:
                raise NotShown(f"more than {MOST_STEPS} redirections")
        if status != http.client.OK:
            raise NotShown(f"the machine answered {status} and not 200")
        return body

    def certificate(self, identifier: Identifier, ranges: Sequence[str]) -> tuple[bytes, str | None]:
        """Return the certificate (DER) that a machine shows (tls-alpn-01), and the protocol that was agreed on."""
        with Deadline(self._patience, silence=SILENCE) as deadline:
            address = self._address(identifier, ranges)
            context = _context()
            context.set_alpn_protocols([PROTOCOL])
            try:
                connection = deadline.connect(address, self._settings.tls_port)
            except OSError as error:
                raise NotReached(f"`{address}` cannot be reached: {deadline.why(error)}") from error
            with connection:
                try:
                    with context.wrap_socket(connection, server_hostname=server_name(identifier)) as secured:
                        return secured.getpeercert(binary_form=True) or b"", secured.selected_alpn_protocol()
                except (OSError, ValueError) as error:
                    raise NoTls(f"`{address}` does not speak TLS as it should: {deadline.why(error)}") from error

    def _get(self, deadline: Deadline, place: _Place, ranges: Sequence[str]) -> tuple[int, str, bytes]:
        """Return status, place of redirection and body of one answer."""
        port = self._settings.tls_port if place.secure else self._settings.http_port
        address = self._address(_identifier(place.host), ranges)
        connection = http.client.HTTPConnection(place.host, port)
        try:
            # To the address that was checked: the library would resolve the name once more.
            connection.sock = _secured(deadline.connect(address, port), place)
            headers = {"Host": place.authority, "User-Agent": "guosuo", "Accept": "*/*", "Connection": "close"}
            connection.request("GET", place.path, headers=headers)
            with connection.getresponse() as answer:
                body = answer.read(LARGEST + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotReached(f"`{place.host}` at {address} does not answer: {deadline.why(error)}") from error
        finally:
            connection.close()
        if len(body) > LARGEST:
            raise NotShown(f"the file has more than {LARGEST} octets")
        return answer.status, answer.getheader("Location", ""), body

    def _redirected(self, place: _Place, location: str) -> _Place:
        """Return where a redirection leads: to a host by its name or address, at the ports of the challenges."""
        try:
            target = urlsplit(urljoin(place.url, location))
            secure, port = target.scheme == "https", target.port
        except ValueError as error:
            raise NotShown("the redirection leads nowhere") from error
        expected = self._settings.tls_port if secure else self._settings.http_port
        plain = target.scheme in ("http", "https") and target.hostname and "@" not in target.netloc
        if not plain or port not in (None, expected) or not location.isascii() or not location.isprintable():
            raise NotShown("the redirection leads to another port, or is none of HTTP")
        query = f"?{target.query}" if target.query else ""
        return _Place(secure, str(target.hostname), (target.path or "/") + query)

    def _address(self, identifier: Identifier, ranges: Sequence[str]) -> str:
        """Return the first address of a machine. Raises ``OutsideDomain`` unless all of them lie in ``ranges``."""
        found = self._resolved(identifier)
        for one in found:
            if not identifiers.is_inside(one, ranges):
                raise OutsideDomain(f"`{identifier.value}` has the address {one}, which lies outside the domain's")
        return found[0]

    def _resolved(self, identifier: Identifier) -> list[str]:
        if identifier.kind is IdentifierKind.IP:
            return [str(ipaddress.ip_address(identifier.value))]
        found = [str(record.address) for kind in ("AAAA", "A") for record in self._ask(identifier.value, kind)]
        if not found:
            raise NotResolved(f"`{identifier.value}` has no address")
        return found[:MOST_ADDRESSES]

    def _ask(self, name: str, kind: str) -> dns.resolver.Answer:
        try:
            return self._resolver.resolve(dns.name.from_text(name), kind, raise_on_no_answer=False, search=False)
        except (dns.exception.DNSException, OSError) as error:
            raise NotResolved(f"`{name[:253]}` cannot be resolved ({kind}): {_told(error)}") from error


def _identifier(host: str) -> Identifier:
    try:
        return Identifier(IdentifierKind.IP, str(ipaddress.ip_address(host)))
    except ValueError:
        return Identifier(IdentifierKind.DNS, host)


def _secured(connection: socket.socket, place: _Place) -> socket.socket:
    if not place.secure:
        return connection
    # A machine that is about to get its certificate has none that could be verified (RFC 8555, 8.3).
    return _context().wrap_socket(connection, server_hostname=place.host)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _nameserver(text: str) -> dns.nameserver.Nameserver:
    host, _, port = text.rpartition(":") if text.count(":") == 1 or text.startswith("[") else (text, "", "")
    return dns.nameserver.Do53Nameserver((host or text).strip("[]"), int(port) if port.isdigit() else _PORT)


def _told(error: Exception) -> str:
    """Say what went wrong without what the library's own text repeats of the question."""
    return type(error).__name__ if isinstance(error, dns.exception.DNSException) else str(error)
