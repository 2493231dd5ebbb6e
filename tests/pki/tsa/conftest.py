"""A time-stamp authority over a real token, on both stores, and what clients ask of it."""

import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from asn1crypto import cms, tsp
from asn1crypto import core as asn1
from fastapi import FastAPI
from sqlalchemy import make_url

from core.clock import Clock
from core.database import Database
from core.web import BodyLimit, install_error_handlers
from pki import hierarchy
from pki.settings import PkiSettings
from pki.tsa import api
from pki.tsa.admission import Admission
from pki.tsa.authority import TimeStampAuthority
from pki.tsa.settings import TsaSettings
from tests.clock import ManualClock
from tests.people import enter_province
from tests.services.http import serving
from tests.services.postgres import Cluster
from tests.services.softhsm import Running

NAMES = PkiSettings(organisation="北辰省 演练样本", public_url="http://localhost:8480")


@dataclass
class Kept:
    """A clock that is kept, until it is said not to be."""

    kept: bool = True

    def is_kept(self, within: timedelta) -> bool:
        assert within > timedelta(0)
        return self.kept


@dataclass
class Tsa:
    database: Database
    clock: ManualClock
    signer: Running
    folder: Path
    settings: TsaSettings = field(default_factory=TsaSettings)
    synchrony: Kept = field(default_factory=Kept)

    def authority(
        self, *, settings: TsaSettings | None = None, clock: Clock | None = None, database: Database | None = None
    ) -> TimeStampAuthority:
        return TimeStampAuthority(
            database=database or self.database,
            keys=self.signer.client,
            clock=clock or self.clock,
            random=secrets.token_bytes,
            settings=settings or self.settings,
            synchrony=self.synchrony,
        )

    def application(self, *, per_minute: int = 60_000) -> BodyLimit:
        app = FastAPI()
        app.state.provided = {
            TimeStampAuthority: self.authority(),
            Admission: Admission(clock=self.clock, per_minute=per_minute),
        }
        app.include_router(api.submission)
        install_error_handlers(app)
        return BodyLimit(app)

    def trust(self, folder: Path) -> Path:
        """Write the root's certificate, and nothing below it."""
        path = folder / "root.pem"
        first, mark, _rest = hierarchy.pem_chain(self.database).partition("-----END CERTIFICATE-----\n")
        path.write_text(first + mark)
        return path


def found(url: str, signer: Running) -> None:
    """Enter province and authorities into an empty store with every table."""
    clock = ManualClock()
    with closing(Database(url)) as database:
        with database.write() as session:
            enter_province(session, clock.now())
        hierarchy.establish(database, signer.client, clock, secrets.token_bytes, NAMES)


@pytest.fixture(scope="session")
def founded_file(signer_process: Running, tables_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with province and authorities, to be copied: they take longer to make than most tests."""
    file = tmp_path_factory.mktemp("founded") / "store.sqlite3"
    shutil.copy(tables_file, file)
    found(f"sqlite:///{file}", signer_process)
    return file


@pytest.fixture(scope="session")
def founded_template(signer_process: Running, postgres_cluster: Cluster, tables_template: str) -> str:
    """The same on PostgreSQL: the name of a template."""
    url = postgres_cluster.create(tables_template)
    found(url, signer_process)
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield copied(request.getfixturevalue("founded_file"), tmp_path)
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.lent(request.getfixturevalue("founded_template")) as url:
        yield url


def copied(file: Path, folder: Path) -> str:
    shutil.copy(file, folder / "store.sqlite3")
    return f"sqlite:///{folder}/store.sqlite3"


@contextmanager
def opened(url: str, signer: Running, folder: Path) -> Iterator[Tsa]:
    with closing(Database(url)) as database:
        yield Tsa(database, ManualClock(), signer, folder)


@pytest.fixture
def tsa(store_url: str, signer_process: Running, tmp_path: Path) -> Iterator[Tsa]:
    """An authority of its own, on SQLite and then on PostgreSQL."""
    with opened(store_url, signer_process, tmp_path) as made:
        yield made


@pytest.fixture
def sqlite_tsa(founded_file: Path, signer_process: Running, tmp_path: Path) -> Iterator[Tsa]:
    with opened(copied(founded_file, tmp_path), signer_process, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def lasting(founded_file: Path, signer_process: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    """One authority for a whole module, on SQLite: where what was stamped before does not matter."""
    folder = tmp_path_factory.mktemp("tsa")
    with opened(copied(founded_file, folder), signer_process, folder) as made:
        yield made


@pytest.fixture(scope="module")
def url(lasting: Tsa) -> Iterator[str]:
    with serving(lasting.application()) as address:
        yield address


def question(hashed: bytes = bytes(32), algorithm: str = "sha256", **fields: object) -> bytes:
    """A request as another implementation writes it; ``fields`` are those of TimeStampReq."""
    imprint = {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": hashed}
    asked: Mapping[str, object] = {"version": "v1", "message_imprint": imprint, **fields}
    return bytes(tsp.TimeStampReq(asked).dump())


class Answer(asn1.Sequence):  # type: ignore[misc]  # of a library without types
    """TimeStampResp; that of asn1crypto knows none without a token."""

    _fields: ClassVar = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def answer(content: bytes) -> Answer:
    return Answer.load(content, strict=True)


def info(content: bytes) -> tsp.TSTInfo:
    read = answer(content)
    assert read["status"]["status"].native == "granted", read["status"].native
    return read["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed


def failure(content: bytes) -> str:
    """The one failure that is named; there is no token then."""
    read = answer(content)
    assert read["status"]["status"].native == "rejection"
    assert read["time_stamp_token"].native is None
    (word,) = read["status"]["fail_info"].native
    return str(word).replace("extensions", "extension")


def openssl(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", "ts", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
