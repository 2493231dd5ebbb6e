"""A province with an authority of its own, and an old one beside it whose key is in the token already."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.database import Database
from core.identity import PersonId
from core.jobs import run_due
from deploy import oldca, takingover
from deploy.oldca import OldFolder
from hsm.models import KeyPurpose
from pki import hierarchy
from pki import jobs as pki_jobs
from pki.takeover import act, jobs, material, staging
from pki.takeover.judgement import Verdict
from pki.takeover.mapping import Mapped
from pki.takeover.material import Header
from pki.takeover.models import TakeoverPlan
from tests.clock import ManualClock
from tests.pki.conftest import SETTINGS, Pki, build
from tests.pki.takeover.oldca import OldCa, import_key, write_loose
from tests.services.softhsm import Running, initialise

KEY = "old-ca"
CARRY, FINISH = act.ACTS


@dataclass
class World:
    pki: Pki
    old: OldCa

    def read(self, mapped: Mapped | None = None) -> OldFolder:
        return oldca.read(self.old.folder, mapped or Mapped(), self.pki.clock.now())

    def header(self, folder: OldFolder, domains: tuple[str, ...] = ()) -> Header:
        return takingover.header(folder, "legacy", KEY, domains)

    def judge(self, folder: OldFolder) -> dict[str, Verdict]:
        """The verdict of each certificate, by the last four digits of its serial number."""
        with self.pki.database.read() as session:
            found = staging.judge(session, self.header(folder), folder.items, self.pki.clock.now())
        return {one.serial[-4:]: verdict for one, verdict in zip(folder.items, found, strict=True)}

    def bring(self, folder: OldFolder, domains: tuple[str, ...] = ()) -> str:
        """Bring a folder's plan in parts of two, and seal it; return its digest."""
        header = self.header(folder, domains)
        with self.pki.database.read() as session:
            verdicts = staging.judge(session, header, folder.items, self.pki.clock.now())
        words = [one.word for one in verdicts]
        digest = material.digest_of(header, zip(folder.items, words, strict=True))
        for first in range(0, max(len(folder.items), 1), 2):
            with self.pki.database.write() as session:
                part = folder.items[first : first + 2]
                staging.stage(session, digest, header, first, part, self.pki.clock.now(), "wu-ops")
        self.pki.signer.client.adopt(KEY, self.spki(header), KeyPurpose.CA, enter=False)
        with self.pki.database.write() as session:
            assert staging.seal(session, digest, staging.check_whole(session, digest)).state == "sealed"
        return digest

    def spki(self, header: Header) -> bytes:
        with self.pki.database.read() as session:
            return staging.check(session, header, self.pki.clock.now()).spki

    def agree(self, digest: str) -> list[str]:
        body, at = {"digest": digest, "basis": "演练样本"}, self.pki.clock.now()
        with self.pki.database.read() as session:
            told = CARRY.consequences(session, body, at)
        with self.pki.database.write() as session:
            CARRY.carry_out(session, body, PersonId("wu-ops"), PersonId("lu-security"), at)
        return told

    def work_off(self) -> None:
        due = [*jobs.jobs(self.pki.database, self.pki.signer.client)]
        due += pki_jobs.making(self.pki.database, self._make)
        for _ in range(2):
            self.pki.clock.advance(seconds=10)
            assert run_due(self.pki.database, due, self.pki.clock, "one") == []
        self.pki.publisher.refresh()

    def _make(self) -> list[str]:
        parts = self.pki.database, self.pki.signer.client, self.pki.clock
        return hierarchy.make_planned(*parts, secrets.token_bytes, SETTINGS)

    def take_over(self, domains: tuple[str, ...] = ()) -> TakeoverPlan:
        digest = self.bring(self.read(), domains)
        self.agree(digest)
        self.work_off()
        with self.pki.database.read() as session:
            return session.get_one(TakeoverPlan, digest)


@pytest.fixture(scope="session")
def old_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``openssl ca`` made and issued: good, revoked, on hold, of nobody, and ended."""
    old = OldCa(tmp_path_factory.mktemp("old") / "ca").make()
    old.issue("li-wen")
    old.revoke(old.issue("sun-yue"), "-crl_reason", "keyCompromise")
    old.revoke(old.issue("han-office"), "-crl_hold", "holdInstructionNone")
    old.issue("nobody-here")
    old.issue("li-wen", "-startdate", "200101000000Z", "-enddate", "210101000000Z")
    old.revoke(old.issue("gone-long-ago"))
    old.list()
    return old.folder


@pytest.fixture(scope="session")
def old_token(old_template: Path) -> Iterator[Running]:
    """A token that the old key was imported into before its signer came up."""
    state = Path(tempfile.mkdtemp(prefix=f"gs-old-{secrets.token_hex(2)}-"))
    made = Running(state)
    initialise(made.settings)
    import_key(made.settings, old_template / "ca.key", KEY, "aa01")
    import_key(made.settings, old_template / "ca.key", "spare", "aa02")
    write_loose(made.settings, old_template / "ca.key", "loose", "aa03")
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(state, ignore_errors=True)


def copied(template: Path, place: Path) -> OldCa:
    shutil.copytree(template, place)
    configuration = place / "openssl.cnf"
    configuration.write_text(configuration.read_text().replace(str(template), str(place)))
    return OldCa(place)


def world_of(database: Database, old_token: Running, old_template: Path, folder: Path) -> World:
    clock = ManualClock()
    clock.advance(seconds=(datetime.now(UTC) - clock.now()).total_seconds())
    return World(build(database, clock, old_token, folder), copied(old_template, folder / "old"))


@pytest.fixture
def world(database: Database, old_token: Running, old_template: Path, tmp_path: Path) -> World:
    return world_of(database, old_token, old_template, tmp_path)


@pytest.fixture
def sqlite_world(sqlite_database: Database, old_token: Running, old_template: Path, tmp_path: Path) -> World:
    return world_of(sqlite_database, old_token, old_template, tmp_path)
