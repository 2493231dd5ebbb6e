"""The HTTP process: the interface over mutual TLS 1.3, and certificate status in the clear on a port of its own."""

import ssl
import sys
import threading
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from deploy import app as apps
from deploy import settings as site_settings
from deploy import tls, wiring
from deploy.peer import CertificateProtocol
from deploy.settings import Settings
from deploy.wiring import Built
from pki.feed import Feed


def serve(settings: Settings) -> None:
    """Serve until a signal ends the process."""
    built = wiring.build(settings)
    status = _status_server(settings, apps.status_app(built))
    thread = threading.Thread(target=status.run, name="status", daemon=True)
    thread.start()
    stop = threading.Event()
    feed = threading.Thread(target=_follow, args=(built, stop), name="feed", daemon=True)
    feed.start()
    _service_server(settings, apps.service_app(built)).run()
    # Nobody asks any more: what was answered in fast mode is stored before the end.
    built.queue.close()
    status.should_exit = True
    stop.set()
    for one in (thread, feed):
        one.join(timeout=5)


def _follow(built: Built, stop: threading.Event) -> None:
    """Keep the responder's answers true until ``stop``."""
    feed = built.provided[Feed]
    assert isinstance(feed, Feed)
    feed.run(stop)


def _service_server(settings: Settings, app: ASGIApp) -> uvicorn.Server:
    def context(_config: uvicorn.Config, _default: object) -> ssl.SSLContext:
        return tls.server_context(
            certificate=settings.service_certificate, key=settings.service_key, trusted=settings.trusted
        )

    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.listen.address,
            port=settings.listen.port,
            http=CertificateProtocol,
            ssl_context_factory=context,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )


def _status_server(settings: Settings, app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.listen.address,
            port=settings.listen.status_port,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )


def main() -> None:
    """Run as ``python -m deploy.http STATE``."""
    serve(site_settings.load(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
