"""The server over a real authority, and machines on loopback (演练样本: the finance domain's ranges hold 127.20/16)."""

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlmodel import SQLModel, col, select

from core.database import Database
from core.ledger.models import EvidenceRow
from core.registry.models import AddressRange
from deploy import app, enrolling
from pki.acme import binding, encoding
from pki.acme.models import AcmeKey
from pki.acme.network import Network
from pki.acme.server import AcmeServer
from pki.acme.settings import AcmeSettings
from pki.acme.validation import Validation
from tests.clock import ManualClock
from tests.pki import conftest
from tests.pki.acme.client import Client
from tests.pki.conftest import Pki
from tests.services import nameserver
from tests.services.nameserver import Zone
from tests.services.site import free_port
from tests.services.softhsm import Running

HOST, OTHER = "fin-budget.fin.beichen.example", "api.fin.beichen.example"
ADDRESS = "127.20.0.10"


@dataclass
class Acme:
    pki: Pki
    zone: Zone
    server: AcmeServer
    web: TestClient

    def make_key(self, holder: str = "fin-budget", hours: int = 72) -> tuple[str, str]:
        """A key as the officer makes it: id, and the secret as it is shown."""
        with self.pki.database.write() as session:
            row = binding.make(
                session,
                binding.find_holder(session, holder),
                actor="zhao-ra",
                at=self.pki.clock.now(),
                life=timedelta(hours=hours),
                random=secrets.token_bytes,
            )
            return row.id, encoding.encode(binding.secret_of(row, self.server.secret))

    def key(self, identifier: str) -> AcmeKey:
        with self.pki.database.read() as session:
            return session.get_one(AcmeKey, identifier)

    def stranger(self) -> Client:
        return Client(self.web, self.web.get("/acme/issuing/directory").json())

    def client(self, holder: str = "fin-budget") -> Client:
        made = self.stranger()
        answer = made.register(*self.make_key(holder))
        assert answer.status_code == 201, answer.text
        return made

    def look(self) -> int:
        """Run the worker's job once."""
        parts = {"database": self.pki.database, "clock": self.pki.clock}
        return Validation(**parts, network=Network(self.server.settings)).run()

    def records(self, prefix: str = "pki.acme.") -> list[dict[str, object]]:
        statement = select(EvidenceRow.content).where(col(EvidenceRow.type).startswith(prefix))
        with self.pki.database.read() as session:
            return [json.loads(row) for row in session.exec(statement.order_by(EvidenceRow.row))]

    def refusals(self) -> list[str]:
        return [str(one["details"]["reason"]) for one in self.records("pki.acme.request-refused")]  # type: ignore[index]


def build(pki: Pki, zone: Zone) -> Acme:
    with pki.database.write() as session:
        session.add(AddressRange(cidr="127.20.0.0/16", domain="outer-finance"))
    settings = AcmeSettings(
        public_url="https://testserver", resolvers=(zone.address,), http_port=free_port(), tls_port=free_port()
    )
    parts = {"clock": pki.clock, "authority": pki.authority}
    server = enrolling.server(settings, pki.database, secret=bytes(range(32)), **parts)  # type: ignore[arg-type]
    built = SimpleNamespace(provided={AcmeServer: server, type(pki.database): pki.database})
    web = TestClient(app.acme_app(built), base_url="https://testserver", raise_server_exceptions=False)  # type: ignore[arg-type]
    return Acme(pki, zone, server, web)


@pytest.fixture(scope="session")
def name_server() -> Iterator[Zone]:
    with nameserver.serving() as zone:
        yield zone


@pytest.fixture
def zone(name_server: Zone) -> Zone:
    name_server.records.clear()
    name_server.asked.clear()
    name_server.records.update({(HOST, "A"): [ADDRESS], (OTHER, "A"): [ADDRESS]})
    return name_server


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, signer_process: Running) -> Path:
    """A store with province and authorities, to be copied: made once, for the token's keys stay from test to test."""
    folder = tmp_path_factory.mktemp("filled")
    database = Database(f"sqlite:///{folder}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    conftest.build(database, ManualClock(), signer_process, folder)
    database.close()
    return folder / "store.sqlite3"


@pytest.fixture
def acme(filled: Path, clock: ManualClock, signer_process: Running, zone: Zone, tmp_path: Path) -> Iterator[Acme]:
    with closing(sqlite3.connect(filled)) as old, closing(sqlite3.connect(tmp_path / "store.sqlite3")) as new:
        old.backup(new)
    database = Database(f"sqlite:///{tmp_path}/store.sqlite3")
    yield build(conftest.join(database, clock, signer_process, tmp_path), zone)
    database.close()


@pytest.fixture
def acme_on_both(pki: Pki, zone: Zone) -> Acme:
    return build(pki, zone)
