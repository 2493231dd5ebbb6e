"""EST and CMP over a real authority, in process and over real TLS; machines of the sample province (演练样本)."""

import json
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import SQLModel, col, select
from starlette.types import ASGIApp, Receive, Scope, Send

import pki.cmp.api
import pki.est.api
from core.clock import Clock
from core.database import Database
from core.identity import SubjectKind
from core.ledger.models import EvidenceRow
from core.registry.models import AddressRange
from core.web import BodyLimit, install_error_handlers
from deploy import machines, tls
from deploy.peer import CertificateProtocol
from pki import desk, hierarchy
from pki.deskofficer import Officer
from pki.device import secret
from pki.device.secret import Agreed
from pki.request import IssuanceRequest
from tests.clock import ManualClock
from tests.pki import conftest
from tests.pki.conftest import Pki, PrivateKey
from tests.services.softhsm import Running

HOST, OTHER = "fin-budget.fin.beichen.example", "api.fin.beichen.example"
INSTALLATION = bytes(range(32))


class Showing:
    """ASGI middleware in the place of TLS: requests come with the certificate that is ``shown``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.shown: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.shown is not None:
            scope = {**scope, "extensions": {"tls": {"client_certificate": self.shown}}}
        await self.app(scope, receive, send)


@dataclass
class Machines:
    pki: Pki
    provided: dict[type, object]
    app: ASGIApp
    showing: Showing = field(init=False)
    web: TestClient = field(init=False)
    officers: dict[str, Officer | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.showing = Showing(self.app)
        self.web = TestClient(self.showing, base_url="https://testserver", raise_server_exceptions=False)

    @property
    def folder(self) -> Path:
        return self.pki.folder

    def secret(
        self, holder: str = "fin-budget", hosts: tuple[str, ...] = (HOST,), addresses: tuple[str, ...] = ()
    ) -> tuple[str, str]:
        """An initial secret as the officer makes it: id and value."""
        with self.pki.database.write() as session:
            row = secret.make(
                session,
                secret.find_holder(session, holder),
                Agreed(hosts, addresses, timedelta(hours=1)),
                actor="zhao-ra",
                at=self.pki.clock.now(),
                random=secrets.token_bytes,
            )
            return row.id, secret.value_of(row, INSTALLATION)

    def state(self, identifier: str) -> str:
        with self.pki.database.read() as session:
            return session.get_one(secret.DeviceSecret, identifier).state

    def certificate(
        self, holder: str = "fin-budget-app", kind: str = "application", hosts: tuple[str, ...] = (HOST,)
    ) -> tuple[PrivateKey, bytes]:
        """A certificate of a machine, as if it came from the desk."""
        key = ec.generate_private_key(ec.SECP256R1())
        octets = conftest.csr(key, holder, dns=hosts)
        issued = self.pki.authority.issue(
            IssuanceRequest(octets, kind, SubjectKind(kind), holder, dns_names=hosts), actor="zhao-ra"
        )
        return key, issued.der

    def decide(self, name: str, *, approve: bool = True, comment: str = "") -> str:
        """An officer decides on the request that was filed last; return its state."""
        who = self.officers.setdefault(name, None) or conftest.officer(self.pki, name)
        self.officers[name] = who
        with self.pki.database.read() as session:
            row = desk.find(session, "", 1)[0]
        step = self.pki.desk.approve if approve else self.pki.desk.reject
        return step(row.id, digest=row.digest, comment=comment, officer=who).state

    def records(self, prefix: str) -> list[dict[str, Any]]:
        statement = select(EvidenceRow.content).where(col(EvidenceRow.type).startswith(prefix))
        with self.pki.database.read() as session:
            return [json.loads(row) for row in session.exec(statement.order_by(EvidenceRow.row))]

    def refusals(self) -> list[str]:
        return [str(one["details"]["reason"]) for one in self.records("pki.device.request-refused")]

    def write_key(self, name: str, key: PrivateKey) -> None:
        octets = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / name).write_bytes(octets)

    def run(self, *command: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(command, cwd=self.folder, input=stdin, capture_output=True, check=False, timeout=30)


def build(pki_: Pki) -> Machines:
    with pki_.database.write() as session:
        session.add(AddressRange(cidr="127.20.0.0/16", domain="outer-finance"))
    provided = machines.servers(
        pki_.database,
        pki_.signer.client,
        clock=pki_.clock,
        authority=pki_.authority,
        authenticator=pki_.authenticator,
        installation=lambda: INSTALLATION,
    )
    app = FastAPI()
    app.state.provided = {Database: pki_.database, Clock: pki_.clock, **provided}
    install_error_handlers(app)
    app.include_router(pki.est.api.router)
    app.include_router(pki.cmp.api.router)
    return Machines(pki_, provided, BodyLimit(app))


def join(folder: Path, signer_process: Running) -> Pki:
    """Everything that lasts: made once for a module, its clock is the machine's."""
    database = Database(f"sqlite:///{folder}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    clock = ManualClock()
    clock.advance(seconds=(datetime.now(UTC) - clock.now()).total_seconds())
    return conftest.build(database, clock, signer_process, folder)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, signer_process: Running) -> Iterator[Machines]:
    made = build(join(tmp_path_factory.mktemp("machines"), signer_process))
    yield made
    made.pki.database.close()


@pytest.fixture
def site(lasting: Machines) -> Machines:
    """The one that lasts, with nobody's certificate shown."""
    lasting.showing.shown = None
    return lasting


@contextmanager
def serving_tls(made: Machines) -> Iterator[str]:
    """Serve over mutual TLS, as the product does; files of clients lie in the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    made.write_key("service.key", key)
    asked = IssuanceRequest(
        conftest.csr(key, "trust", dns=("localhost",)),
        "service",
        SubjectKind.SERVICE,
        "trust",
        dns_names=("localhost",),
    )
    (made.folder / "service.pem").write_text(made.pki.authority.issue(asked, actor="zhao-ra").chain_pem)
    (made.folder / "trust.pem").write_text(hierarchy.pem_chain(made.pki.database))

    def context(_config: uvicorn.Config, _default: object) -> ssl.SSLContext:
        places = {"certificate": "service.pem", "key": "service.key", "trusted": "trust.pem"}
        return tls.server_context(**{name: made.folder / place for name, place in places.items()})

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        made.app,
        http=CertificateProtocol,
        ssl_context_factory=context,
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
        yield f"https://localhost:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
