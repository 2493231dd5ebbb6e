"""A real HTTP server over an application, on loopback, for the time of a test."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from deploy.peer import CertificateProtocol


@contextmanager
def serving(app: ASGIApp, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve ``app`` and yield its address; over mutual TLS with a ``context``, as the product does."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=1,
        lifespan="off",
        http=CertificateProtocol if context else "auto",
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        port = listening.getsockname()[1]
        yield f"https://localhost:{port}" if context else f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
