"""The other side of one connection after another as a test wants it: no protocol, only what it does with its socket."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.services.certificate import Identity

Behaviour = Callable[[socket.socket], None]


@contextmanager
def running(behave: Behaviour, identity: Identity | None = None) -> Iterator[int]:
    """Do with every connection what ``behave`` does, over TLS with ``identity``; yield the port."""
    context = None if identity is None else identity.server()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        stop = threading.Event()
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    one, _ = listening.accept()
                    threads.append(threading.Thread(target=_talk, args=(one, context, behave)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            accepting.join()
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()


def dripping(beginning: bytes, drop: bytes, *, every: float = 0.1) -> Behaviour:
    """Read once, send ``beginning``, then ``drop`` again and again until the other side has gone."""

    def behave(one: socket.socket) -> None:
        one.settimeout(0.2)
        with suppress(TimeoutError):
            one.recv(65536)
        one.settimeout(20)
        one.sendall(beginning)
        # More than the slowest test: a caller that never ends is found out, and ends all the same.
        for _ in range(int(20 / every)):
            one.sendall(drop)
            time.sleep(every)

    return behave


def _talk(one: socket.socket, context: ssl.SSLContext | None, behave: Behaviour) -> None:
    # What the other side does to the connection is no error here: it is what a test looks at.
    with suppress(OSError), one:
        one.settimeout(20)
        if context is None:
            behave(one)
            return
        with context.wrap_socket(one, server_side=True) as wrapped:
            behave(wrapped)
