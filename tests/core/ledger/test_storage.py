"""Every write of the log broken in both ways: failed and not applied, failed but applied. The log stays one log."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlmodel import select

from core.errors import Unavailable
from core.ledger.errors import BadCheckpoint, Fenced, InconsistentLog, LeaseHeld, StorageFailed
from core.ledger.models import LedgerCheckpoint
from core.ledger.sequencer import BUNDLE_EXPORTED, Sequencer
from core.ledger.storage import DurableWriter, LogFolder
from tests.clock import ManualClock
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import Log


class FailingWriter:
    """Fails at the nth write (from 0), before or after it was applied; then goes on as if nothing had been."""

    def __init__(self, at: int, *, applied: bool) -> None:
        self.writes = 0
        self.failed: Path | None = None
        self._at = at
        self._applied = applied
        self._writer = DurableWriter()

    def write(self, path: Path, content: bytes) -> None:
        self.writes += 1
        failing = self.writes == self._at + 1
        if not failing or self._applied:
            self._writer.write(path, content)
        if failing:
            self.failed = path
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FailingSigner(MemoryCheckpointSigner):
    """Does not answer until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = False

    def sign(self, message: bytes) -> bytes:
        if not self.answers:
            raise Unavailable("the signer does not answer")
        return super().sign(message)


def grow(log: Log, sequencer: Sequencer, *, tell: bool) -> None:
    """Three runs that touch every kind of file: full tiles, incomplete ones, two checkpoints in one run."""
    if tell:
        log.append(250)
    sequencer.run_once()
    if tell:
        log.append(10)
        log.append(1, kind=BUNDLE_EXPORTED)
        log.append(5)
    sequencer.run_once()


def writes_of(log: Log) -> int:
    counting = FailingWriter(10_000, applied=False)
    grow(log, log.sequencer(writer=counting), tell=True)
    log.check()
    return counting.writes


def test_there_are_as_many_writes_as_the_next_test_breaks(sqlite_log: Log) -> None:
    assert writes_of(sqlite_log) == WRITES


#: Writes in ``grow``, in log and mirror together.
WRITES = 28


@pytest.mark.parametrize("applied", [False, True], ids=["not applied", "applied"])
@pytest.mark.parametrize("at", range(WRITES))
def test_a_broken_write(sqlite_log: Log, at: int, applied: bool) -> None:
    writer = FailingWriter(at, applied=applied)
    sequencer = sqlite_log.sequencer(writer=writer)
    with pytest.raises(StorageFailed, match="No space left"):
        grow(sqlite_log, sequencer, tell=True)
    assert writer.failed is not None
    # What is shown stays true whatever failed, in the log and in its mirror.
    if all((copy / "checkpoint").exists() for copy in (sqlite_log.directory, sqlite_log.mirror)):
        sqlite_log.check(complete=False)
    if at % 2:
        # The same sequencer goes on …
        sqlite_log.append(3)
        sequencer.run_once()
    else:
        # … or dies and another one of its place takes over.
        sqlite_log.append(3)
        sqlite_log.sequencer().run_once()
    sqlite_log.check()


def test_a_signer_that_does_not_answer_is_waited_for(log: Log) -> None:
    signer = FailingSigner()
    sequencer = log.sequencer(signer=signer)
    log.append(5)
    for _ in range(3):
        with pytest.raises(Unavailable, match="signer does not answer"):
            sequencer.run_once()
        assert not (log.directory / "checkpoint").exists()
    signer.answers = True
    sequencer.run_once()
    assert log.check() == 5


@contextmanager
def running(sequencer: Sequencer) -> Iterator[list[Exception]]:
    stop, raised = threading.Event(), list[Exception]()

    def work() -> None:
        try:
            sequencer.run(stop)
        except (Unavailable, InconsistentLog, Fenced) as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join()


def test_run_outlives_a_failing_write(sqlite_log: Log) -> None:
    writer = FailingWriter(2, applied=False)
    sqlite_log.append(3)
    sequencer = sqlite_log.sequencer(writer=writer)
    with running(sequencer) as raised:
        deadline = threading.Event()
        for _ in range(200):
            with sqlite_log.database.read() as session:
                rows = session.exec(select(LedgerCheckpoint.published_at)).all()
            if rows and all(rows):
                break
            deadline.wait(0.05)
    assert raised == []
    assert writer.failed is not None
    assert sqlite_log.check() == 3


def test_whoever_waits_for_the_lease_takes_over_when_it_ends(sqlite_log: Log, clock: ManualClock) -> None:
    first, second = sqlite_log.sequencer(owner="one"), sqlite_log.sequencer(owner="two")
    sqlite_log.append(1)
    first.run_once()
    clock.advance(seconds=9)
    with pytest.raises(LeaseHeld):
        second.run_once()
    # Renewed at half its time: two goes on waiting.
    sqlite_log.append(1)
    first.run_once()
    clock.advance(seconds=9)
    with pytest.raises(LeaseHeld):
        second.run_once()
    clock.advance(seconds=2)
    sqlite_log.append(1)
    assert second.run_once() == 1
    assert sqlite_log.check() == 3


def test_an_older_checkpoint_is_never_shown_again(tmp_path: Path, sqlite_log: Log) -> None:
    sqlite_log.append(1)
    sequencer = sqlite_log.sequencer()
    sequencer.run_once()
    old = (sqlite_log.directory / "checkpoint").read_bytes()
    sqlite_log.append(1)
    sequencer.run_once()
    folder = LogFolder(sqlite_log.directory, DurableWriter())
    with pytest.raises(Fenced, match="size 2 is already published, this one has size 1"):
        folder.show(old)
    other = old.replace(b"\n1\n", b"\n2\n")
    with pytest.raises(InconsistentLog, match="another checkpoint of size 2"):
        folder.show(other)
    with pytest.raises(InconsistentLog, match="holds another checkpoint of size 2"):
        folder.keep(2, other)
    (sqlite_log.directory / "checkpoint").write_bytes(b"torn")
    with pytest.raises(BadCheckpoint):
        folder.show(old)
    assert tmp_path.exists()


def test_a_stray_temporary_file_of_a_crash_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    path.parent.mkdir(parents=True)
    (path.parent / ".file.new").write_bytes(b"half")
    DurableWriter().write(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert [one.name for one in path.parent.iterdir()] == ["file"]
