"""By syslog, to a receiver over TLS, TCP or UDP. Syslog acknowledges nothing: the receipt says what was handed over."""

import socket
import ssl
import time
from contextlib import closing, suppress

from core.deadline import Deadline
from core.notice import channel, rfc5424
from core.notice.errors import DeliveryFailed
from core.notice.message import Message
from core.notice.settings import SyslogSettings
from core.text import clean

#: Seconds that a receiver is waited for once it has everything.
FAREWELL = 5.0


class Syslog:
    """Implements ``core.notice.channel.Channel``; ``host`` is what this machine calls itself."""

    name = "syslog"
    personal = False

    def __init__(self, settings: SyslogSettings, *, host: str, whole: float = channel.WHOLE) -> None:
        """Send to the receiver of ``settings``; a message takes ``whole`` seconds at most."""
        self._settings = settings
        self._whole = whole
        self._host = host

    def send(self, message: Message) -> str:
        """Hand the message over and return how much and how."""
        datagram = self._settings.transport == "udp"
        content = render(message, host=self._host, datagram=datagram)
        with channel.deadline(self._whole) as deadline:
            try:
                if datagram:
                    self._throw(content)
                else:
                    self._stream(rfc5424.frame(content), deadline)
            except (OSError, UnicodeError) as error:
                # Also for a host name that is none.
                raise DeliveryFailed(f"the receiver did not take it: {clean(deadline.why(error), 200)}") from error
        return f"{len(content)} octets handed over by {self._settings.transport}"

    def _stream(self, content: bytes, deadline: Deadline) -> None:
        with deadline.connect(self._settings.host, self._settings.port) as plain:
            plain.settimeout(channel.PATIENCE)
            if self._settings.transport == "tcp":
                plain.sendall(content)
                _finish(plain)
                return
            context = channel.context(self._settings.trusted_file)
            with context.wrap_socket(plain, server_hostname=self._settings.host) as wrapped:
                wrapped.sendall(content)
                _finish_tls(wrapped)

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
    """Close our side and wait until the other has read to the end and closed too, or for a while."""
    plain.settimeout(FAREWELL)
    plain.shutdown(socket.SHUT_WR)
    end = time.monotonic() + FAREWELL
    # Many receivers keep a connection open, and some go on talking: neither takes back what was handed over.
    with suppress(TimeoutError):
        while plain.recv(1024) and time.monotonic() < end:
            pass


def _finish_tls(wrapped: ssl.SSLSocket) -> None:
    """Send our close_notify and wait for theirs: then they have read what came before (RFC 5425, 4.4)."""
    wrapped.settimeout(FAREWELL)
    try:
        wrapped.unwrap()
    except TimeoutError:
        # It keeps the connection open, which takes nothing back.
        return
    except OSError as error:
        # Closed without a word (not even an error number), or still talking. An alert of theirs is a refusal.
        if error.errno not in (0, ssl.SSLErrorNumber.SSL_ERROR_EOF) and "AFTER_CLOSE_NOTIFY" not in str(error):
            raise
