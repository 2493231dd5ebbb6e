"""Kills while a site is founded: the same command again completes it, and every certificate is on record."""

import fcntl
import signal
import tempfile
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from sqlmodel import select

from backup.identity import load_identity
from core.ledger import checkpoint
from deploy import founding, wiring
from deploy.founding import Founding, bootstrap_files
from deploy.settings import ListenSection, Settings, load
from hsm.settings import HsmSettings
from hsm.signer import TokenCheckpointSigner
from pki.models import Certificate
from tests.crash.fuse import Fuse
from tests.crash.invariant import check_records
from tests.crash.nursery import Child, Say
from tests.crash.parts import ORIGIN
from tests.crash.site import Token
from tests.ledger_check import check_folder, check_ledger
from tests.memory import MEMORY
from tests.people import PROVINCE

#: By point: how often it is passed in one founding.
FOUNDING_SCENARIOS = {
    "backup.identity.make_identity#1": 1,
    "deploy.founding._settle#1": 1,
    "deploy.founding._certify_key#1": 2,
}


def found(asked: Founding, _say: Say) -> None:
    """Be ``guosuo init``."""
    founding.found(asked, progress=lambda _text: None)


def kill_while_founding(fuse: Fuse, store: str) -> None:
    """Kill once, found again, and look at what stands; ``store`` is empty for SQLite."""
    with tempfile.TemporaryDirectory(prefix="gs-found-", dir=MEMORY) as name:
        asked = _asked(Path(name), store)
        assert Child(found, asked, fuse=fuse).wait() == -signal.SIGKILL
        _await_end_of_signer(asked.state)
        assert Child(found, asked).wait() == 0
        _await_end_of_signer(asked.state)
        lost = fuse.point.function == "_certify_key"
        _check(load(asked.state, {}), asked, certificates=2 + lost)


def found_again_without_bootstrap() -> None:
    """Found, remove the certificate, found again: there is another one, and both are on record."""
    with tempfile.TemporaryDirectory(prefix="gs-found-", dir=MEMORY) as name:
        asked = _asked(Path(name), "")
        for number in (2, 3):
            assert Child(found, asked).wait() == 0
            _await_end_of_signer(asked.state)
            _check(load(asked.state, {}), asked, certificates=number)
            bootstrap_files(load(asked.state, {}))[0].unlink()


def _asked(folder: Path, store: str) -> Founding:
    return Founding(
        state=folder / "site",
        province=PROVINCE,
        recovery_identity=folder / "recovery.age",
        name="北辰省 演练样本",
        origin=ORIGIN,
        listen=ListenSection(),
        repository=folder / "repository",
        store=store,
        applications=sorted((PROVINCE.parent / "apps").glob("*.yaml")),
    )


def _await_end_of_signer(state: Path) -> None:
    """The signer that the founding started is told by the kernel to end when its parent is killed."""
    lock = HsmSettings(state=state).lock
    deadline = time.monotonic() + 20
    while lock.exists():
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                assert time.monotonic() < deadline, "the signer of a killed founding stays"
        time.sleep(0.005)


def _check(settings: Settings, asked: Founding, *, certificates: int) -> None:
    recipient = str(load_identity(asked.recovery_identity).to_public())
    assert settings.repository.recipients == (recipient,)
    database = wiring.store(settings)
    token = Token(asked.state)
    try:
        with database.read() as session:
            check_records(session)
            known = {one.serial: one.der for one in session.exec(select(Certificate))}
        assert len(known) == certificates
        _check_pair(known, settings.service_certificate, settings.service_key)
        _check_pair(known, *bootstrap_files(settings))
        assert not list(asked.state.rglob("*.csr"))
        token.settle()
        assert wiring.sequencer(settings, database, token.client, owner="one").run_once() > 0
        signing = TokenCheckpointSigner(token.client, wiring.CHECKPOINT_KEY)
        key = str(checkpoint.verifier_key(settings.site.origin, signing))
        size = check_ledger(database, settings.ledger, key)
        entries, _leaves = check_folder(wiring.evidence_mirror(settings), key)
        assert len(entries) == size
    finally:
        token.stop()
        database.close()


def _check_pair(known: dict[str, bytes], certificate: Path, key: Path) -> None:
    made = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    assert known[f"{made.serial_number:040x}"] == made.public_bytes(serialization.Encoding.DER)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    assert private.public_key() == made.public_key()
