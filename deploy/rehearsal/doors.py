"""What a person's client sees at the gateway: handshakes fresh and resumed, answers, and open connections."""

import http.client
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """A client certificate with its chain and key (PEM files)."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, and the TLS session it came over."""

    status: int
    body: str
    headers: dict[str, str]
    protocol: str
    resumed: bool
    session: ssl.SSLSession | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Door:
    """Where the gateway listens and how it is known: address, port, host name and the site's root (PEM)."""

    address: str
    port: int
    host: str
    trusted: Path

    def context(self, identity: Identity | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return a client context; one context must be kept for a session to be offered again."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.trusted)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if version is ssl.TLSVersion.TLSv1_2:
            # Resumption by session id is what is asked for, so no ticket is offered.
            context.options |= ssl.OP_NO_TICKET
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.key)
        return context

    def connect(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> "Connection":
        """Open a connection, offering ``session`` for resumption when there is one."""
        plain = socket.create_connection((self.address, self.port), timeout=10)
        return Connection(self, context.wrap_socket(plain, server_hostname=self.host, session=session))

    def open(
        self,
        path: str,
        identity: Identity | None,
        *,
        version: ssl.TLSVersion | None = None,
        headers: dict[str, str] | None = None,
    ) -> Page:
        """Ask for one page over a fresh connection."""
        with self.connect(self.context(identity, version)) as connection:
            return connection.get(path, headers)


class Connection:
    """An open connection that can ask more than once (HTTP/1.1 keep-alive)."""

    def __init__(self, door: Door, secured: ssl.SSLSocket) -> None:
        """Speak HTTP over the finished handshake."""
        self._door = door
        self._socket = secured
        self._http = http.client.HTTPConnection(door.host)
        self._http.sock = secured

    def get(self, path: str, headers: dict[str, str] | None = None) -> Page:
        """Ask for ``path`` and read the whole answer, so that a TLS 1.3 ticket has arrived when it ends."""
        self._http.request("GET", path, headers=headers or {})
        response = self._http.getresponse()
        content = response.read()
        charset = response.headers.get_content_charset() or "utf-8"
        return Page(
            status=response.status,
            body=content.decode(charset, "replace"),
            headers={name.lower(): value for name, value in response.getheaders()},
            protocol=self._socket.version() or "",
            resumed=bool(self._socket.session_reused),
            session=self._socket.session,
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
        self._socket.close()

    def __enter__(self) -> "Connection":
        """Use as a context manager."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connection."""
        self.close()
