"""Kills of whoever renews: key and certificate of the folder always belong together, and the next run goes on."""

import signal
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from core.clock import SystemClock
from deploy.pair import PairFolder
from deploy.renewing import Renewer, Wish
from deploy.request import make_key
from tests.crash.fuse import Fuse
from tests.crash.nursery import Child, Say
from tests.memory import MEMORY

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "演练样本")])
_KEY = ec.generate_private_key(ec.SECP256R1())


def renew_for_ever(folder: Path, say: Say) -> None:
    """Be ``guosuo cert renew --now``, again and again."""
    while True:
        say("renewed", Renewer(folder, Wish(), clock=SystemClock()).renew(now=True).pair.serial)


def change_pairs(folder: Path, times: int, say: Say) -> None:
    """Make a key, get a certificate for it, and let the two count; go on with a key that waits already."""
    kept = PairFolder(folder)
    for _ in range(times):
        with kept.held():
            kept.clear()
            present, waiting = kept.current(), kept.pending()
            waiting = waiting or kept.begin(make_key, renews=present.serial if present else "")
            say("current", kept.install(_certify(waiting.request), command=True).serial)


def _certify(request: bytes) -> bytes:
    """Be an authority that gives the very same certificate for the very same request."""
    asked = x509.load_pem_x509_csr(request)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(request)
    begin = datetime.now(UTC)
    builder = x509.CertificateBuilder(_NAME, _NAME, asked.public_key(), int.from_bytes(digest.finalize()[:16], "big"))
    made = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=1)).sign(_KEY, hashes.SHA256())
    return made.public_bytes(Encoding.PEM)


def check_folder(folder: Path) -> None:
    """Key and certificate of whatever counts belong together; the key is its owner's alone."""
    pair = PairFolder(folder).current()
    if pair is not None:
        key = load_pem_private_key(Path(pair.key).read_bytes(), None)
        assert key.public_key() == pair.certificate.public_key()
        assert Path(pair.key).stat().st_mode & 0o777 == 0o600


def kill_while_changing(fuse: Fuse) -> int:
    """Kill once, look, and let another go on to the end; return the status of the killed one."""
    with tempfile.TemporaryDirectory(prefix="gs-pair-", dir=MEMORY) as name:
        folder = Path(name)
        child = Child(change_pairs, folder, 3, fuse=fuse)
        status = child.wait()
        told = [serial for _kind, serial in child.said()]
        check_folder(folder)
        kept = PairFolder(folder)
        present = kept.current()
        # What was said to count still does, or what came after it.
        assert present is not None or not told
        assert kept.current() is None or status == -signal.SIGKILL
        assert Child(change_pairs, folder, 1).wait() == 0
        check_folder(folder)
        assert kept.pending() is None
        assert kept.is_command_due()
        assert len(list((folder / "pairs").iterdir())) <= 2
        return status


#: By point: how often it is passed while pairs change.
PAIR_SCENARIOS = {
    "deploy.pair.PairFolder.begin#1": 3,
    "deploy.pair.PairFolder.install#1": 3,
    "deploy.pair.PairFolder.install#2": 3,
}
