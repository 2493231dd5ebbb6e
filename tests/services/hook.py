"""A receiver of webhooks on this machine, over TLS or in the clear; it answers what it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.services.certificate import Identity


@dataclass
class Hook:
    """``answers`` are the next status codes, 204 when there is none; ``taken`` are headers and bodies."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def running(identity: Identity | None = None) -> Iterator[Hook]:
    """Run a receiver for the time of the block."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            code = hook.answers.pop(0) if hook.answers else 204
            hook.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(code)
            if code in (301, 307):
                self.send_header("location", f"http://127.0.0.1:{hook.port}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if identity is not None:
        server.socket = identity.server().wrap_socket(server.socket, server_side=True)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
