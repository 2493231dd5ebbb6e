"""Our responder in a process of its own, as in production: ``python -m deploy.bench.responding STORE SIGNER PORT``."""

import sys
import threading
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from core.clock import SystemClock
from core.database import Database
from deploy import supervisor
from hsm.client import SignerClient
from hsm.settings import HsmSettings
from pki.feed import Feed
from pki.ocsp import OcspResponder
from pki.ocsp_http import OcspEndpoint


def main() -> None:
    """Answer until a signal ends it."""
    store, signer, port = sys.argv[1:]
    stop = threading.Event()
    supervisor.install_signals(stop)
    database, clock = Database(store), SystemClock()
    keys = SignerClient(HsmSettings(state=Path(signer)).socket)
    responder = OcspResponder(database=database, keys=keys, clock=clock)
    feed = Feed(database=database, responder=responder, clock=clock)
    following = threading.Thread(target=feed.run, args=(stop,))
    following.start()
    app = OcspEndpoint(FastAPI(openapi_url=None), feed)
    config = uvicorn.Config(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    ender = threading.Thread(target=_end, args=(server, stop), daemon=True)
    ender.start()
    server.run()
    stop.set()
    following.join()
    database.close()


def _end(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True


if __name__ == "__main__":
    main()
