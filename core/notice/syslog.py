"""By syslog, to a receiver over TLS, TCP or UDP. Syslog acknowledges nothing: the receipt says what was handed over."""

import socket
from contextlib import closing

from core.notice import channel, rfc5424
from core.notice.errors import DeliveryFailed
from core.notice.message import Message, clean
from core.notice.settings import SyslogSettings


class Syslog:
    """Implements ``core.notice.channel.Channel``; ``host`` is what this machine calls itself."""

    name = "syslog"
    personal = False

    def __init__(self, settings: SyslogSettings, *, host: str) -> None:
        """Send to the receiver of ``settings``."""
        self._settings = settings
        self._host = host

    def send(self, message: Message) -> str:
        """Hand the message over and return how much and how."""
        datagram = self._settings.transport == "udp"
        content = render(message, host=self._host, datagram=datagram)
        try:
            if datagram:
                self._throw(content)
            else:
                self._stream(rfc5424.frame(content))
        except (OSError, UnicodeError) as error:
            # Also for a host name that is none.
            place = f"{self._settings.host}:{self._settings.port}"
            raise DeliveryFailed(f"the receiver `{place}`: {clean(str(error), 200)}") from error
        return f"{len(content)} octets handed over by {self._settings.transport}"

    def _stream(self, content: bytes) -> None:
        place = (self._settings.host, self._settings.port)
        with socket.create_connection(place, timeout=channel.PATIENCE) as plain:
            if self._settings.transport == "tcp":
                plain.sendall(content)
                _finish(plain)
                return
            context = channel.context(self._settings.trusted_file)
            with context.wrap_socket(plain, server_hostname=self._settings.host) as wrapped:
                wrapped.sendall(content)
                # The other side's close_notify: it has read what came before (RFC 5425, 4.4).
                wrapped.unwrap()

    def _throw(self, content: bytes) -> None:
        found = socket.getaddrinfo(self._settings.host, self._settings.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _name, place = found[0]
        with closing(socket.socket(family, kind, protocol)) as one:
            one.sendto(content, place)


def render(message: Message, *, host: str, datagram: bool) -> bytes:
    """Return the message as RFC 5424 has it: post, id and count as structured data, the lines as one text."""
    return rfc5424.encode(
        " | ".join([message.subject, *(line for line in message.lines if line)]),
        at=message.at,
        host=host,
        message_id="duties" if message.count else "test",
        data={"id": message.id, "post": message.post, "count": str(message.count)},
        urgent=message.urgent,
        largest=rfc5424.LARGEST_DATAGRAM if datagram else rfc5424.LARGEST_STREAM,
    )


def _finish(plain: socket.socket) -> None:
    """Close our side and wait until the other has read to the end and closed too, or says nothing for a while."""
    plain.shutdown(socket.SHUT_WR)
    while plain.recv(1024):
        pass
