"""A sequencer begins from the tiles: it reads little, finds what was changed, and heals what was lost."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, insert, update
from sqlmodel import SQLModel, col, select

from core.clock import Clock
from core.database import Database
from core.ledger import evidence, recovery
from core.ledger.checkpoint import Checkpoint, sign_checkpoint
from core.ledger.entry import Event
from core.ledger.errors import BadCheckpoint, Fenced, InconsistentLog
from core.ledger.models import EvidenceRow, LedgerCheckpoint
from core.ledger.storage import DurableWriter, LogFolder
from core.ledger.tiles import TileTree
from tests.clock import ManualClock
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import Log

#: Enough for two levels of full tiles (65,536 would be three) and more checkpoints than a start may read.
MANY = 20_000


class Counting:
    """Counts what a store gives and what is read of the files."""

    def __init__(self) -> None:
        self.rows = 0
        self.files = 0


@contextmanager
def counting(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    """Count result rows of selects over records and checkpoints, and the files that Python reads."""
    counted = Counting()
    read_bytes = Path.read_bytes

    def reading(path: Path) -> bytes:
        counted.files += 1
        return read_bytes(path)

    def executed(_connection: object, cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT") and ("FROM evidence" in statement or "FROM ledger_checkpoint" in statement):
            counted.rows += 1

    event.listen(database.engine, "after_cursor_execute", executed)
    monkeypatch.setattr(Path, "read_bytes", reading)
    try:
        yield counted
    finally:
        monkeypatch.undo()
        event.remove(database.engine, "after_cursor_execute", executed)


def fill(log: Log, count: int) -> None:
    """Append many records quickly."""
    for start in range(0, count, 1_000):
        records = [
            evidence.prepare(Event("test.thing.made", "li", f"thing:{number}"), at=log.clock.now())
            for number in range(start, min(count, start + 1_000))
        ]
        log.database.insert(evidence.TABLE, [record.columns for record in records])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long log, published and closed."""
    root = tmp_path_factory.mktemp("long")
    database = Database(f"sqlite:///{root}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    log = Log(database, ManualClock(), root)
    fill(log, MANY)
    assert log.sequencer().run_once() == MANY
    database.close()
    return root


@pytest.fixture
def long_log(template: Path, tmp_path: Path, clock: ManualClock) -> Iterator[Log]:
    root = tmp_path / "long"
    shutil.copytree(template, root)
    database = Database(f"sqlite:///{root}/store.sqlite3")
    yield Log(database, clock, root)
    database.close()


def test_a_long_log_is_opened_by_a_bounded_number_of_reads(long_log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements and files are counted, not seconds: the same for twenty thousand records as for a million."""
    long_log.append(3)
    with counting(long_log.database, monkeypatch) as counted:
        assert long_log.sequencer().run_once() == 3
    # Sixteen tiles are looked at (one statement each), the rest is the edge, the marks and one checkpoint.
    assert counted.rows < 16 + 24
    assert counted.files < 4 * 16 + 40
    assert len(list((long_log.directory / "checkpoints").iterdir())) == MANY // 1_000 + 1
    assert long_log.check() == MANY + 3


def test_a_record_changed_far_back_is_found_by_the_scrub(long_log: Log) -> None:
    with long_log.database.write() as session:
        session.execute(update(EvidenceRow).where(col(EvidenceRow.sequence) == 9_000).values(content=b"{}"))
    bundle = long_log.directory / "tile/entries/035"
    before = bundle.read_bytes()
    sequencer = long_log.sequencer()
    sequencer.run_once()
    with pytest.raises(InconsistentLog, match="records 8960 to 9215 are not those that were signed"):
        for _ in range(MANY // 256):
            sequencer.run_once()
    assert bundle.read_bytes() == before, "a good bundle was written over"


def test_a_changed_record_never_reaches_a_tile_when_the_tree_is_made_again(long_log: Log) -> None:
    with long_log.database.write() as session:
        session.execute(update(EvidenceRow).where(col(EvidenceRow.sequence) == 9_000).values(content=b"{}"))
    shutil.rmtree(long_log.directory / "tile/1")
    shutil.rmtree(long_log.mirror / "tile/1")
    before = {path: path.read_bytes() for path in (long_log.mirror / "tile").rglob("*") if path.is_file()}
    signer = MemoryCheckpointSigner()
    long_log.append(1)
    for _ in range(2):
        with pytest.raises(InconsistentLog, match="first 10000 records are not those"):
            long_log.sequencer(signer=signer).run_once()
    assert signer.signed == []
    assert {path: path.read_bytes() for path in (long_log.mirror / "tile").rglob("*") if path.is_file()} == before


def lose_edge(log: Log) -> None:
    for copy in (log.directory, log.mirror):
        for path in copy.glob("tile/0/*.p"):
            shutil.rmtree(path)


def lose_upper(log: Log) -> None:
    for copy in (log.directory, log.mirror):
        shutil.rmtree(copy / "tile/1")


def tear_edge(log: Log) -> None:
    for copy in (log.directory, log.mirror):
        (path,) = [one for one in copy.glob("tile/0/*.p/*") if one.name == str(MANY % 256)]
        path.write_bytes(path.read_bytes()[:-7])


def swap_edge(log: Log) -> None:
    for copy in (log.directory, log.mirror):
        (path,) = [one for one in copy.glob("tile/1/*.p/*") if one.name == str(MANY // 256)]
        path.write_bytes(bytes(len(path.read_bytes())))


def lose_log(log: Log) -> None:
    shutil.rmtree(log.directory)


def lose_mirror(log: Log) -> None:
    shutil.rmtree(log.mirror)


def lose_both(log: Log) -> None:
    lose_log(log)
    lose_mirror(log)


@pytest.mark.parametrize(
    "fault",
    [lose_edge, lose_upper, tear_edge, swap_edge, lose_log, lose_mirror, lose_both],
    ids=lambda one: one.__name__,
)
def test_what_is_lost_is_made_again(long_log: Log, fault: Callable[[Log], None]) -> None:
    fault(long_log)
    long_log.append(2)
    assert long_log.sequencer().run_once() == 2
    assert long_log.check() == MANY + 2


def test_torn_tiles_are_healed_by_the_scrub_while_it_runs(long_log: Log) -> None:
    sequencer = long_log.sequencer()
    sequencer.run_once()
    torn = long_log.mirror / "tile/entries/070"
    torn.write_bytes(torn.read_bytes()[:-1])
    (long_log.directory / "tile/0/071").unlink()
    for _ in range(MANY // 256 + 1):
        sequencer.run_once()
    assert long_log.check() == MANY


@pytest.mark.parametrize("copy", ["ledger", "mirror"])
def test_a_torn_checkpoint_stops_with_a_sentence(log: Log, copy: str) -> None:
    """Nobody can say how far that copy went: going on from less would make a second history."""
    log.append(3)
    log.sequencer().run_once()
    shown = log.root / copy / "checkpoint"
    shown.write_bytes(shown.read_bytes()[:-9])
    log.append(1)
    signer = MemoryCheckpointSigner()
    with pytest.raises(BadCheckpoint, match=f"the checkpoint in `.*{copy}` is damaged"):
        log.sequencer(signer=signer).run_once()
    assert signer.signed == []
    shown.unlink()
    log.sequencer().run_once()
    assert log.check() == 4


def test_a_checkpoint_of_another_history_stops_the_signing(log: Log) -> None:
    """The store says that another root was signed than its records have."""
    log.append(300)
    log.sequencer().run_once()
    with log.database.write() as session:
        session.execute(update(LedgerCheckpoint).values(root="0" * 64))
    signer = MemoryCheckpointSigner()
    with pytest.raises(InconsistentLog, match="first 300 records"):
        log.sequencer(signer=signer).run_once()
    assert signer.signed == []


def test_somebody_elses_checkpoint_in_our_folder_ends_us(log: Log, tmp_path: Path, clock: Clock) -> None:
    log.append(5)
    sequencer = log.sequencer()
    sequencer.run_once()
    with log.database.read() as session:
        row = session.exec(select(LedgerCheckpoint)).one()
    other = sign_checkpoint(Checkpoint(row.note.decode().split("\n")[0], 9, bytes(32)), MemoryCheckpointSigner())
    LogFolder(log.directory, DurableWriter()).show(other)
    log.append(1)
    with pytest.raises(Fenced, match="size 9 is already published, ours has size 6"):
        sequencer.run_once()


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_001])
def test_the_edge_is_the_whole_state_of_a_tree(size: int, tmp_path: Path) -> None:
    tree = TileTree()
    for number in range(size):
        tree.append(b"%d" % number)
    folder = LogFolder(tmp_path, DurableWriter())
    tiles = {**tree.take_complete(), **tree.incomplete()}
    folder.add({path: tile for path, tile in tiles.items() if "entries" not in path})
    folder.write_tiles()
    entries = [b"%d" % number for number in range(size // 256 * 256, size)]
    again = TileTree.resume(recovery.read_edge(tmp_path, size), entries)
    assert (again.size, again.root()) == (size, tree.root())
    for number in range(300):
        again.append(b"more %d" % number)
        tree.append(b"more %d" % number)
    assert again.root() == tree.root()
    assert again.take_complete() == tree.take_complete()
    assert again.incomplete() == tree.incomplete()


def test_rows_written_by_hand_are_numbered_after_the_others(log: Log) -> None:
    log.append(3)
    log.sequencer().run_once()
    with log.database.write() as session:
        record = evidence.prepare(Event("test.thing.made", "li", "late"), at=log.clock.now())
        session.connection().execute(insert(evidence.TABLE), [{**record.columns, "row": -5}])
    log.append(1)
    log.sequencer().run_once()
    with log.database.read() as session:
        found = session.exec(select(EvidenceRow.sequence).where(EvidenceRow.object == "late")).one()
    assert found == 3
