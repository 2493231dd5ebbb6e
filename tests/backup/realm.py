"""A whole site for the tests: store, token, signer, sequencer, authority, settings, repository; and its disaster."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session, select

from backup.identity import make_identity
from backup.models import RecoveryPoint
from backup.repository import Repository
from backup.run import Backup
from backup.settings import BackupSettings
from core.clock import SystemClock
from core.database import Database
from core.identity import Serial
from core.ledger.sequencer import Sequencer
from core.registry import role
from deploy import schema
from deploy.settings import ListenSection, RepositorySection, Settings, SiteSection, render
from hsm.models import KeyAlgorithm, KeyPurpose
from hsm.signer import TokenCheckpointSigner
from pki import revocation
from pki.hierarchy import pem_chain
from tests.clock import ManualClock
from tests.pki.conftest import SETTINGS, Pki, found, join
from tests.services.softhsm import Running

ORIGIN = "evidence.beichen.example/sample"

#: When every site is founded: once for a worker, so that the same rows do for all.
FOUNDED = SystemClock().now()


@dataclass
class Realm:
    """One site in the folder of its token; everything that a day needs."""

    root: Path
    signer: Running
    database: Database
    pki: Pki
    settings: Settings
    backup_settings: BackupSettings

    @property
    def state(self) -> Path:
        return self.signer.settings.state

    @property
    def repository(self) -> Repository:
        return Repository(self.root / "repository")

    @property
    def identity(self) -> Path:
        return self.root / "recovery.age"

    def backup(self, **more: object) -> Backup:
        return Backup(
            database=self.database,
            clock=SystemClock(),
            random=secrets.token_bytes,
            settings=self.backup_settings,
            **more,  # type: ignore[arg-type]  # the tests name real parameters
        )

    def point(self) -> RecoveryPoint:
        made = self.backup().make(actor="wu-recovery")
        self.sequence()
        return made

    def sequencer(self, owner: str = "one") -> Sequencer:
        return Sequencer(
            database=self.database,
            clock=SystemClock(),
            directory=self.root / "ledger",
            origin=ORIGIN,
            signer=TokenCheckpointSigner(self.signer.client, "checkpoint"),
            owner=owner,
            mirror=self.repository.evidence,
        )

    def sequence(self) -> None:
        self.sequencer().run_once()

    def issue(self, holder: str = "li-wen") -> Serial:
        return self.pki.issue(holder).serial

    def revoke(self, serial: Serial) -> None:
        with self.database.write() as session:
            revocation.revoke(session, serial, reason="key-compromise", actor="sun-security", at=SystemClock().now())

    def assign(self, person: str, office: str) -> None:
        with self.database.write() as session:
            role.assign(
                session,
                person=person,
                domain="site",
                role=office,
                giver="sun-security",
                at=SystemClock().now(),  # type: ignore[arg-type]
            )


def unguard(session: Session) -> None:
    """Take away what keeps evidence in the store, as whoever owns the store can."""
    suffix = "" if session.get_bind().dialect.name == "sqlite" else " ON evidence"
    for name in ("evidence_stays", "evidence_says_the_same", "evidence_is_numbered_once"):
        session.execute(text(f"DROP TRIGGER {name}{suffix}"))


@contextmanager
def made(root: Path, signer: Running, store: str = "") -> Iterator[Realm]:
    """Make a site over a token that others use too; its store is ``store``, or SQLite in ``root``."""
    state = signer.settings.state
    url = store or f"sqlite:///{root}/store.sqlite3"
    database = Database(url)
    schema.upgrade(database)
    signer.client.generate("checkpoint", KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)
    found(database, ManualClock(FOUNDED), signer, SETTINGS)
    pki = join(database, SystemClock(), signer, root)  # type: ignore[arg-type]  # any clock does
    recipient = make_identity(root / "recovery.age")
    settings = Settings(
        state=state,
        site=SiteSection(name="北辰省 演练样本", origin=ORIGIN, store=url),
        listen=ListenSection(),
        repository=RepositorySection(path=root / "repository", recipients=(recipient,)),
    )
    write_files(settings, pki)
    chosen = BackupSettings(state=state, repository=root / "repository", recipients=(recipient,), origin=ORIGIN)
    try:
        yield Realm(root, signer, database, pki, settings, chosen)
    finally:
        database.close()


def write_files(settings: Settings, pki: Pki) -> None:
    (settings.state / "guosuo.toml").write_text(render(settings), encoding="utf-8")
    settings.trusted.write_text(pem_chain(pki.database), encoding="ascii")
    settings.service_certificate.write_text(pki.issue("li-wen").chain_pem, encoding="ascii")
    settings.applications.mkdir(exist_ok=True)
    (settings.applications / "budget.yaml").write_text("# 演练样本\n", encoding="utf-8")


def rows(session: Session, kind: type, *columns: str) -> list[tuple[object, ...]]:
    return sorted(tuple(getattr(row, name) for name in columns) for row in session.exec(select(kind)))
