"""The HTTP process: the interface over mutual TLS 1.3, and two more ports: certificate status in the clear, and ACME.

ACME has a port of its own because its clients have no certificate yet: there TLS asks for none, and nothing else is
served, so whoever may reach the one need not be let near the other.
"""

import ssl
import sys
import threading
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from core.database import Database
from deploy import app as apps
from deploy import settings as site_settings
from deploy import tls, wiring
from deploy.peer import CertificateProtocol
from deploy.settings import AcmeSection, Settings
from deploy.wiring import Built
from pki import intermediate
from pki.feed import Feed


def serve(settings: Settings) -> None:
    """Serve until a signal ends the process."""
    built = wiring.build(settings)
    beside = {"status": _status_server(settings, apps.status_app(built))}
    if settings.acme is not None:
        beside["acme"] = _acme_server(settings, settings.acme, apps.acme_app(built))
    stop = threading.Event()
    threads = [threading.Thread(target=one.run, name=name, daemon=True) for name, one in beside.items()]
    threads.append(threading.Thread(target=_follow, args=(built, stop), name="feed", daemon=True))
    for thread in threads:
        thread.start()
    _service_server(settings, built).run()
    # Nobody asks any more: what was answered in fast mode is stored before the end.
    built.queue.close()
    for one in beside.values():
        one.should_exit = True
    stop.set()
    for thread in threads:
        thread.join(timeout=5)


def _follow(built: Built, stop: threading.Event) -> None:
    """Keep the responder's answers true until ``stop``."""
    feed = built.provided[Feed]
    assert isinstance(feed, Feed)
    feed.run(stop)


def _service_server(settings: Settings, built: Built) -> uvicorn.Server:
    def context(_config: uvicorn.Config, _default: object) -> ssl.SSLContext:
        database = built.provided[Database]
        assert isinstance(database, Database)
        with database.read() as session:
            between = intermediate.certificates(session)
        return tls.server_context(
            certificate=settings.service_certificate,
            key=settings.service_key,
            trusted=settings.trusted,
            between=between,
        )

    return uvicorn.Server(
        uvicorn.Config(
            apps.service_app(built),
            host=settings.listen.address,
            port=settings.listen.port,
            http=CertificateProtocol,
            ssl_context_factory=context,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )


def _acme_server(settings: Settings, section: AcmeSection, app: ASGIApp) -> uvicorn.Server:
    def context(_config: uvicorn.Config, _default: object) -> ssl.SSLContext:
        return tls.open_context(certificate=settings.service_certificate, key=settings.service_key)

    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.listen.address,
            port=section.port,
            ssl_context_factory=context,
            log_level="warning",
            server_header=False,
            # Who asks is counted by address: nobody names another one in a header.
            proxy_headers=False,
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
