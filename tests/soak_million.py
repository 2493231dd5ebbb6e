"""``python -m tests.soak_million [RECORDS] [--directory DIR]``: a long log, opened, proved and verified.

Builds a log through the product's own parts, then opens it in a process of its own, proves records and consistency from
the tiles, and verifies the proofs; prints seconds and the most memory that each process had. Not part of the tests: a
million records take minutes. What the tests count instead of seconds is in ``tests/core/ledger/test_recovery.py``.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import SQLModel, col, func, select

from core.clock import SystemClock
from core.database import Database
from core.ledger import checkpoint, evidence, merkle, published
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from tests.core.ledger.logs import Log

_TOGETHER = 2_000

#: What opening, proving and verifying may take, in seconds.
MOST = 2.0


def log_of(directory: Path) -> Log:
    database = Database(f"sqlite:///{directory}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    return Log(database, SystemClock(), directory)


def peak() -> int:
    """The most memory this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def build(directory: Path, records: int) -> None:
    """Append as writers do while the sequencer runs beside, and wait for the last checkpoint."""
    log, stop = log_of(directory), threading.Event()
    sequencer = threading.Thread(target=log.sequencer().run, args=(stop,))
    sequencer.start()
    for start in range(0, records, _TOGETHER):
        prepared = [
            evidence.prepare(Event("test.thing.made", "li", f"thing:{number}"), at=log.clock.now())
            for number in range(start, min(records, start + _TOGETHER))
        ]
        log.database.insert(evidence.TABLE, [one.columns for one in prepared])
        if start % 100_000 == 0:
            print(f"  {start:,} appended, peak {peak()} MiB", flush=True)
    while published_records(log) < records:
        time.sleep(0.2)
    stop.set()
    sequencer.join()
    print(f"  built: peak {peak()} MiB")


def published_records(log: Log) -> int:
    if not (log.directory / "checkpoint").exists():
        return 0
    return checkpoint.parse_checkpoint(published.newest(log.directory)).size


def open_log(directory: Path) -> None:
    """Begin as a sequencer does after a restart, with a few records waiting."""
    log = log_of(directory)
    log.append(3)
    sequencer = log.sequencer()
    with timed("open, number three records, sign and publish"):
        assert sequencer.run_once() == 3


def prove(directory: Path) -> None:
    """Prove and verify records from all over the log, and that it begins with what was signed earlier."""
    directory = directory / "ledger"
    note = published.newest(directory)
    signed = checkpoint.parse_checkpoint(note)
    places = [0, 1, 255, 256, signed.size // 3, signed.size // 2, signed.size - 2, signed.size - 1]
    with timed(f"prove {len(places)} records, and verify"):
        for index in places:
            tree = published.tree(directory, signed.size)
            width = min(256, signed.size - index // 256 * 256)
            leaf = merkle.leaf_hash(published.entries(directory, index // 256, width)[index % 256])
            merkle.verify_inclusion(
                index=index, size=signed.size, leaf=leaf, proof=tree.inclusion(index), root=signed.root
            )
    sizes = published.sizes(directory)
    with timed("prove consistency with 20 earlier checkpoints, and verify"):
        for past in sizes[:: max(1, len(sizes) // 20)]:
            old = checkpoint.parse_checkpoint(published.signed(directory, past))
            proof = published.tree(directory, signed.size).consistency(past)
            merkle.verify_consistency(size1=past, size2=signed.size, proof=proof, root1=old.root, root2=signed.root)


def damage_and_open(directory: Path) -> None:
    """Lose the tiles that a quick opening needs: the tree is made again from every record."""
    for copy in (directory / "ledger", directory / "mirror"):
        for path in copy.glob("tile/0/**/*.p"):
            shutil.rmtree(path)
    log = log_of(directory)
    began = time.monotonic()
    assert log.sequencer().run_once() == 0
    with log.database.read() as session:
        count = session.exec(select(func.count()).where(col(EvidenceRow.sequence).is_not(None))).one()
    print(f"  rebuilt from {count:,} records: {time.monotonic() - began:.2f} s, peak {peak()} MiB")


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    print(f"  {what}: {seconds:.2f} s, peak {peak()} MiB", flush=True)
    assert seconds < MOST, f"{what} took {seconds:.2f} s, more than {MOST} s"


STEPS: dict[str, Callable[[Path], None]] = {"open": open_log, "prove": prove, "rebuild": damage_and_open}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--step", choices=sorted(STEPS), default=None)
    asked = parser.parse_args()
    if asked.step:
        STEPS[asked.step](asked.directory)
        return
    with tempfile.TemporaryDirectory(prefix="gs-million-", dir=asked.directory) as name:
        directory = Path(name)
        began = time.monotonic()
        build(directory, asked.records)
        print(f"{asked.records:,} records built and published in {time.monotonic() - began:.0f} s")
        for step in STEPS:
            print(json.dumps({"step": step}), flush=True)
            command = [sys.executable, "-m", "tests.soak_million", "--directory", name, "--step", step]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
