"""A conversation with somebody else ends when its time is over, whatever step it is in: its socket is shut.

A socket's own limit bounds one silence: whoever sends an octet now and then would hold us for ever.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Protocol, Self, TypeVar

import httpcore2
import httpx2

_Made = TypeVar("_Made")

#: One address: family, kind, protocol, canonical name, and the place, whose first member is the address.
Found = tuple[int, int, int, str, tuple[str | int | bytes, ...]]


class Resolve(Protocol):
    """Finds the addresses of a name, as ``socket.getaddrinfo`` does."""

    def __call__(self, host: str, port: int, *, type: int) -> Sequence[Found]:  # noqa: A002  # its own name there
        """Return what there is. Raises ``OSError`` and ``UnicodeError``."""
        ...


#: What a connection that does not come about is told by.
_UNREACHED = (OSError, httpcore2.ConnectError, httpcore2.ConnectTimeout)


class Deadline:
    """One conversation: ``seconds`` in all, from now on, and ``silence`` seconds for each step."""

    def __init__(self, seconds: float, *, silence: float, resolve: Resolve = socket.getaddrinfo) -> None:
        """Begin to count; ``resolve`` finds the addresses of a name.

        The resolver's own time (resolv.conf(5)) comes on top: nothing ends its work.
        """
        self.seconds = seconds
        self._silence = silence
        self._resolve = resolve
        self._end = time.monotonic() + seconds
        self._guards = ExitStack()

    def __enter__(self) -> Self:
        """Guard every socket that is made until the block ends."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Guard no longer."""
        self._guards.close()

    @property
    def is_over(self) -> bool:
        """Whether the time is over: what ended since then did not end by itself."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Return how many seconds the next step may take. Raises ``TimeoutError`` when the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"it did not end within {self.seconds:.0f} s")
        return min(left, self._silence)

    def why(self, error: Exception) -> str:
        """Return what went wrong: the time, when that is over, or else what ``error`` says."""
        return f"it did not end within {self.seconds:.0f} s" if self.is_over else str(error) or type(error).__name__

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a guarded connection. Raises ``OSError`` and ``UnicodeError``."""
        made = self.first(host, port, lambda address, left: socket.create_connection((address, port), timeout=left))
        self.guard(made)
        return made

    def first(self, host: str, port: int, connect: Callable[[str, float], _Made]) -> _Made:
        """Return what ``connect`` (address, seconds) makes of the first address that answers; else raise its error."""
        failed: Exception = OSError(f"`{host}` has no address")
        for *_, place in self._resolve(host, port, type=socket.SOCK_STREAM):
            # All of them share one deadline: a name can have thousands of addresses where nobody is.
            left = self.left()
            try:
                return connect(str(place[0]), left)
            except _UNREACHED as error:
                failed = error
        raise failed

    def guard(self, one: socket.socket) -> None:
        """Shut ``one`` when the time is over, also once it speaks TLS: the descriptor is our own."""
        ours = self._guards.enter_context(one.dup())
        timer = threading.Timer(max(0.0, self._end - time.monotonic()), _shut, [ours])
        timer.daemon = True
        timer.start()
        # In this order: nothing is shut whose number somebody else has by now.
        self._guards.callback(timer.join)
        self._guards.callback(timer.cancel)


class _Network(httpcore2.SyncBackend):
    """Connections whose sockets are guarded."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        def connect(address: str, left: float) -> httpcore2.NetworkStream:
            seconds = left if timeout is None else min(left, timeout)
            return super(_Network, self).connect_tcp(address, port, seconds, local_address, socket_options)

        with ExitStack() as undone:
            try:
                stream = self._deadline.first(host, port, connect)
                undone.callback(stream.close)
                # Without a descriptor that is left to be had there is no guard, and nobody holds the stream.
                self._deadline.guard(stream.get_extra_info("socket"))
            except (OSError, UnicodeError) as error:
                raise httpcore2.ConnectError(str(error)) from error
            undone.pop_all()
        return stream


def client(deadline: Deadline, context: ssl.SSLContext) -> httpx2.Client:
    """Return a client whose whole work ends with ``deadline``; it follows nothing and heeds no proxy."""
    transport = httpx2.HTTPTransport(verify=context, trust_env=False)
    # The library hands no sockets out before the answer's headers are there; its connections are ours from the start.
    transport._pool = httpcore2.ConnectionPool(ssl_context=context, network_backend=_Network(deadline))
    return httpx2.Client(transport=transport, timeout=deadline.left(), trust_env=False, follow_redirects=False)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        # Closed by the other side meanwhile: there is nothing to end.
        one.shutdown(socket.SHUT_RDWR)
