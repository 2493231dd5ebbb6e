"""A small real service for those who enrol and renew: authority, desk and decisions, over mutual TLS on loopback."""

import secrets
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI

import pki.enrolment_api
import pki.renewal_api
import pki.status_api
from authz import policy
from authz.application import catalogue
from authz.decision import PolicyDecisionPoint
from core.access import Authenticator, DecisionPoint
from core.clock import Clock
from core.database import Database
from core.ledger.group import GroupCommit
from core.web import BodyLimit, install_error_handlers
from deploy import anchor, identity, tls
from deploy.peer import CertificateProtocol
from pki import desk, enrolment, hierarchy
from pki.enrolment import Invitation
from pki.redemption import Redemption
from pki.renewal import Renewal
from pki.request import IssuanceRequest
from tests.clock import ManualClock
from tests.pki.conftest import Pki, build, csr
from tests.pki.counter import decide
from tests.services.softhsm import Running


@dataclass
class Enrolled:
    """``fingerprint`` is what somebody is told by another way; ``codes`` are made by ``invite``."""

    pki: Pki
    url: str
    fingerprint: str
    folder: Path

    def invite(self, holder: str = "li-wen", profile: str = "person", hosts: tuple[str, ...] = ()) -> str:
        # A day later, so that nobody is told that too many came. TLS judges by the machine's clock, which is ahead.
        self.pki.clock.advance(days=1, minutes=1)
        with self.pki.database.write() as session:
            asked, at = Invitation(holder, profile, hosts), self.pki.clock.now()
            _row, made = enrolment.open_code(session, asked, actor="wu-ops", at=at, random=secrets.token_bytes)
        return made.text

    def approve_all(self, stop: threading.Event) -> None:
        """Be the officers who say yes to everything, until ``stop``."""
        while not stop.wait(0.05):
            for state, who in (("submitted", "zhao-ra"), ("checked", "lu-security")):
                with self.pki.database.read() as session:
                    waiting = [row.id for row in desk.find(session, state, 100)]
                for one in waiting:
                    decide(self.pki, one, who)

    @contextmanager
    def officer(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self.approve_all, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)


@contextmanager
def serving(signer: Running, tables: Path, folder: Path) -> Iterator[Enrolled]:
    shutil.copy(tables, folder / "store.sqlite3")
    with closing(Database(f"sqlite:///{folder}/store.sqlite3")) as database:
        made = build(database, ManualClock(datetime.now(UTC) - timedelta(days=60)), signer, folder)
        with _listening(_app(made), _context(made, folder)) as port:
            root = anchor.load(folder / "root.pem")
            yield Enrolled(made, f"https://localhost:{port}", anchor.fingerprint_of(root), folder)


def _app(made: Pki) -> BodyLimit:
    app = FastAPI()
    parts = {"database": made.database, "authority": made.authority, "clock": made.clock}
    point = PolicyDecisionPoint(
        database=made.database,
        clock=made.clock,
        policies=policy.load(),
        catalogue=catalogue([], {}),
        group=GroupCommit(made.database),
    )
    app.state.provided = {
        Database: made.database,
        Clock: made.clock,
        Authenticator: made.authenticator,
        DecisionPoint: point,
        Redemption: Redemption(**parts, random=secrets.token_bytes),
        Renewal: Renewal(**parts, request_desk=made.desk),
    }
    for router in (identity.alive, pki.status_api.router, pki.enrolment_api.router, pki.renewal_api.router):
        app.include_router(router)
    install_error_handlers(app)
    return BodyLimit(app)


def _context(made: Pki, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    request = IssuanceRequest(csr(key, "trust"), "service", None, "trust", ("localhost",))
    (folder / "service.pem").write_text(made.authority.issue(request, actor="founding").chain_pem)
    (folder / "service.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    chain = hierarchy.pem_chain(made.database)
    (folder / "trust.pem").write_text(chain)
    (folder / "root.pem").write_text(chain.partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n")
    return tls.server_context(
        certificate=folder / "service.pem", key=folder / "service.key", trusted=folder / "trust.pem"
    )


@contextmanager
def _listening(app: BodyLimit, context: ssl.SSLContext) -> Iterator[int]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=CertificateProtocol,
        ssl_context_factory=lambda _config, _default: context,
        log_level="warning",
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
