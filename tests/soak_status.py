"""``python -m tests.soak_status [COUNT …] [--directory DIR]``: how long until a revocation is seen everywhere.

For each COUNT a store with so many revoked certificates, a token, a worker that publishes and a responder that
follows; then revocations one after the other, each timed until decision, status interface, OCSP, shard and delta tell
it, and the full list signed anew. Prints seconds and the most memory. Not part of the tests: a million takes minutes.
"""

import argparse
import importlib
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.x509 import ocsp
from sqlmodel import SQLModel

from core.clock import SystemClock
from core.database import Database
from core.errors import Unauthenticated
from core.identity import Serial
from deploy import worker
from hsm.client import SignerClient
from pki import jobs, pointers, revocation, standing
from pki.crl import CrlPublisher
from pki.feed import Feed
from pki.issuer import ISSUING
from pki.tbslist import DELTA, FULL
from tests.conftest import MODELS
from tests.pki.conftest import SETTINGS, Pki, build
from tests.pki.test_responder import question
from tests.services import softhsm

#: What may be asked for: seconds until everybody sees a revocation, and seconds and MiB of a full list.
SEEN, SIGNED, MEMORY = 1.0, 2.0, 400

_TIMES, _TOGETHER = 8, 50_000


def fill(pki: Pki, count: int) -> None:
    """Enter revoked serial numbers as so many acts would have, and publish."""
    at, table = pki.clock.now(), SQLModel.metadata.tables["revocation"]
    for start in range(0, count, _TOGETHER):
        rows = []
        for _ in range(min(_TOGETHER, count - start)):
            serial = Serial(f"02{secrets.token_hex(19)}")
            row = {"serial": serial, "issuer": ISSUING, "shard": pointers.shard(serial), "at": at}
            entry = revocation.encode_entry(serial, at, "superseded")
            rows.append({**row, "reason": "superseded", "entry": entry})
        pki.database.insert(table, rows)
    pki.publisher.refresh()


def seen(pki: Pki, feed: Feed, certificate: bytes) -> dict[str, Callable[[], bool]]:
    """Say for each place whether it tells a certificate as revoked; the lists are read as whoever fetches them does."""
    serial = x509.load_der_x509_certificate(certificate).serial_number
    asked, number = question(pki, serial), Serial(f"{serial:040x}")

    def decision() -> bool:
        try:
            pki.authenticator.authenticate(certificate)
        except Unauthenticated:
            return True
        return False

    def status() -> bool:
        with pki.database.read() as session:
            return standing.of(session, number).state == "revoked"

    def responder() -> bool:
        answer = feed.ready(asked) or pki.responder.answer(asked)
        return ocsp.load_der_ocsp_response(answer.content).certificate_status is ocsp.OCSPCertStatus.REVOKED

    def listed(scope: str) -> bool:
        crl = x509.load_der_x509_crl(pki.publisher.current(ISSUING, scope))
        return crl.get_revoked_certificate_by_serial_number(serial) is not None

    return {
        "decision": decision,
        "status": status,
        "OCSP": responder,
        "shard": lambda: listed(str(pointers.shard(number))),
        "delta": lambda: listed(DELTA),
    }


def revoke(pki: Pki, feed: Feed, times: dict[str, list[float]]) -> None:
    """Revoke one and wait until each place tells it."""
    issued = pki.issue()
    waiting = seen(pki, feed, issued.der)
    # Asked before, so that an answer is kept that is about to be wrong.
    assert not waiting["OCSP"]()
    begun = time.perf_counter()
    with pki.database.write() as session:
        revocation.revoke(session, issued.serial, reason="key-compromise", actor="x", at=pki.clock.now())
    times["the act itself"].append(time.perf_counter() - begun)
    while waiting:
        for name in [name for name, told in waiting.items() if told()]:
            times[name].append(time.perf_counter() - begun)
            del waiting[name]
        time.sleep(0.005)


def measure(count: int, directory: Path) -> bool:
    """Print the figures of one COUNT; say whether they are within what may be asked for."""
    for name in MODELS:
        importlib.import_module(name)
    database = Database(f"sqlite:///{directory}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    with softhsm.running() as signer:
        pki = build(database, SystemClock(), signer, directory)  # type: ignore[arg-type]  # time goes on here
        fill(pki, count)
        stop, feed = threading.Event(), Feed(database=database, responder=pki.responder, clock=pki.clock)
        working = (database, [jobs.publishing(pki.publisher)], stop)
        threads = [
            threading.Thread(target=worker.work, args=working),
            threading.Thread(target=feed.run, args=(stop,)),
        ]
        for thread in threads:
            thread.start()
        places = ("the act itself", "decision", "status", "OCSP", "shard", "delta")
        times: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(_TIMES):
            revoke(pki, feed, times)
        stop.set()
        for thread in threads:
            thread.join()
        largest = len(pki.publisher.current(ISSUING, str(0)))
        command = [sys.executable, "-m", "tests.soak_status", "--sign", database.url, str(signer.settings.socket)]
        signed = subprocess.run(command, check=False, capture_output=True, text=True)
    database.close()
    worst = {name: max(found) for name, found in times.items()}
    told = ", ".join(f"{name} {statistics.median(found):.3f} ({worst[name]:.3f})" for name, found in times.items())
    print(f"{count:>9,} revoked: seconds until it is told, median (worst): {told}; a shard has {largest // 1024} KiB")
    print(signed.stdout.rstrip() or signed.stderr, flush=True)
    return max(worst.values()) < SEEN and largest < 2**20 and signed.returncode == 0


def sign(store: str, socket: str) -> int:
    """In a process of its own: sign the full list anew, and print seconds and memory."""
    database, clock = Database(store), SystemClock()
    keys = SignerClient(Path(socket))
    publisher = CrlPublisher(database=database, keys=keys, clock=clock, settings=SETTINGS)
    begun = time.perf_counter()
    publisher.publish(ISSUING, (FULL,))
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    size = len(publisher.current(ISSUING))
    keys.close()
    database.close()
    print(f"{'':>17} a full list of {size / 2**20:.1f} MiB is signed anew in {seconds:.2f} s, peak {peak} MiB")
    return 0 if seconds < SIGNED and peak < MEMORY else 1


def main() -> int:
    """Run as a program; ends with 1 when a figure is not within what may be asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak_status", description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[1_000, 100_000, 1_000_000], metavar="COUNT")
    parser.add_argument("--directory", type=Path, default=None, help="whose disk is measured")
    parser.add_argument("--sign", nargs=2, metavar=("STORE", "SOCKET"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.sign:
        return sign(*asked.sign)
    good = True
    for count in asked.counts:
        with tempfile.TemporaryDirectory(prefix="gs-status-", dir=asked.directory) as directory:
            good = measure(count, Path(directory)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
