"""The export: recorded, published, complete, and the same octets each time; never a bundle that would not verify."""

import io
import itertools
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import col, select

import guosuo_verify
from core.ledger import bundle, published
from core.ledger.errors import (
    BadCheckpoint,
    BadCheckpointSignature,
    BadTile,
    InconsistentLog,
    NotPublished,
    StorageFailed,
    UnknownTile,
)
from core.ledger.models import EvidenceRow
from core.ledger.place import LedgerPlace
from core.ledger.sequencer import BUNDLE_EXPORTED
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import Log
from tests.ledger_check import check_folder
from tests.verify.bundles import NOW, place_of


@contextmanager
def sequencing(log: Log) -> Iterator[None]:
    """Run the sequencer beside the test, as a site does."""
    stop = threading.Event()
    thread = threading.Thread(target=log.sequencer().run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def closed(log: Log, count: int, *, step: int = 100) -> int:
    """Publish ``count`` records in steps and the record of an export; return the size."""
    sequencer = log.sequencer()
    for start in range(0, count, step):
        log.append(min(step, count - start))
        sequencer.run_once()
    log.append(1, kind=BUNDLE_EXPORTED)
    sequencer.run_once()
    return count + 1


def packed(place: LedgerPlace, size: int) -> bytes:
    out = io.BytesIO()
    bundle.write_bundle(place, size, out)
    return out.getvalue()


def test_an_export_is_recorded_published_and_verifies(log: Log, tmp_path: Path) -> None:
    place = place_of(log)
    with sequencing(log):
        log.append(300)
        made = bundle.export(log.database, log.clock, place, actor="wei-auditor")
        log.append(5)
    with made.content as content:
        octets = content.read()
    assert (made.size, len(octets)) == (301, made.octets)
    (tmp_path / "evidence.zip").write_bytes(octets)
    report = guosuo_verify.verify(str(tmp_path / "evidence.zip"), place.fingerprint, now=NOW)
    assert [check.faults for check in report.checks if check.faults] == []
    with log.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == made.record)).one()
    assert (row.sequence, row.type, row.actor, row.object) == (
        300,
        "ledger.bundle.exported",
        "wei-auditor",
        f"log:{place.origin}",
    )


@pytest.mark.parametrize("count", [0, 1, 254, 255, 256, 511, 520])
def test_a_bundle_is_itself_a_log_that_a_stranger_reads(sqlite_log: Log, tmp_path: Path, count: int) -> None:
    size = closed(sqlite_log, count)
    with zipfile.ZipFile(io.BytesIO(packed(place_of(sqlite_log), size))) as archive:
        archive.extractall(tmp_path / "unpacked")
    entries, _ = check_folder(tmp_path / "unpacked", sqlite_log.vkey)
    assert len(entries) == size


def test_the_same_size_gives_the_same_octets_whatever_came_later(sqlite_log: Log) -> None:
    size = closed(sqlite_log, 250, step=50)
    place = place_of(sqlite_log)
    before = packed(place, size)
    sequencer = sqlite_log.sequencer()
    for count in (3, 20, 300):
        sqlite_log.append(count)
        sequencer.run_once()
    assert not (sqlite_log.directory / "tile/entries/000.p").exists()
    assert packed(place, size) == before


def test_many_checkpoints_are_thinned_out_evenly(sqlite_log: Log) -> None:
    assert bundle._kept([]) == []
    assert bundle._kept(list(range(1, 2049))) == list(range(1, 2049))
    kept = bundle._kept(list(range(1, 1_000_001)))
    assert (len(kept), len(set(kept)), kept[0], kept[-1]) == (2048, 2048, 1, 1_000_000)
    assert max(later - earlier for earlier, later in itertools.pairwise(kept)) < 500


def test_without_a_sequencer_the_export_says_what_is_wrong_and_the_attempt_is_on_record(log: Log) -> None:
    with pytest.raises(NotPublished, match="not under a signed checkpoint") as failed:
        bundle.export(log.database, log.clock, replace(place_of(log), patience=0.05), actor="wei-auditor")
    assert "guosuo doctor" in failed.value.hint
    with log.database.read() as session:
        assert session.exec(select(EvidenceRow.type)).all() == [BUNDLE_EXPORTED]


def test_a_changed_file_of_the_published_log_gives_no_bundle(sqlite_log: Log) -> None:
    size = closed(sqlite_log, 300)
    place = place_of(sqlite_log)
    path = sqlite_log.directory / "tile/entries/000"
    original = path.read_bytes()
    path.write_bytes(original.replace(b'"n":7}', b'"n":8}', 1))
    with pytest.raises(InconsistentLog, match="not those that the checkpoint of size 301 was signed for"):
        packed(place, size)
    path.write_bytes(original[:-1])
    with pytest.raises(BadTile, match="reaches beyond its end"):
        packed(place, size)
    path.write_bytes(original[: original.index(b'"n":7}') - 200])
    with pytest.raises((BadTile, UnknownTile)):
        packed(place, size)
    path.unlink()
    with pytest.raises(UnknownTile, match="has no tile"):
        packed(place, size)
    path.mkdir()
    with pytest.raises(UnknownTile):
        packed(place, size)


def test_checkpoints_that_are_not_the_logs_own_give_no_bundle(sqlite_log: Log) -> None:
    size = closed(sqlite_log, 3)
    with pytest.raises(BadCheckpointSignature):
        packed(place_of(sqlite_log, MemoryCheckpointSigner(b"another")), size)
    with pytest.raises(UnknownTile, match="no checkpoint of size 2 "):
        packed(place_of(sqlite_log), 2)
    (sqlite_log.directory / f"checkpoints/{size}").write_bytes(b"nonsense\n")
    with pytest.raises(BadCheckpoint):
        packed(place_of(sqlite_log), size)


def test_a_log_that_was_never_published(tmp_path: Path, sqlite_log: Log) -> None:
    with pytest.raises(UnknownTile, match="no checkpoint yet"):
        published.newest(sqlite_log.directory)
    with pytest.raises(StorageFailed, match="cannot be listed"):
        published.sizes(sqlite_log.directory)


NAMES = [
    "tile/0/000",
    "tile/63/000",
    "tile/entries/000",
    "tile/0/x001/x234/067",
    "tile/0/000.p/1",
    "tile/entries/x999/999.p/255",
]
BAD_NAMES = [
    "",
    "checkpoint",
    "tile/0/../0/000",
    "../tile/0/000",
    "/tile/0/000",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/0",
    "tile/0/0000",
    "tile/0/x00/000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p",
    "tile/0/000/",
    "tile/0/000\n",
    "tile/0/٠٠٠",
    "tile/0/000\0",
    "tile//000",
    "tile/entries/000.p/1/2",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_tile_is_read_by_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownTile, match="has no tile"):
        published.tile(tmp_path, name)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"content")
    assert published.tile(tmp_path, name) == b"content"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_nothing_else_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownTile, match="is not the name of a tile"):
        published.tile(tmp_path, name)


def test_an_unreadable_file_is_told_as_such(tmp_path: Path) -> None:
    loop = tmp_path / "tile/0/000"
    loop.parent.mkdir(parents=True)
    loop.symlink_to(loop)
    with pytest.raises(StorageFailed, match="cannot be read"):
        published.tile(tmp_path, "tile/0/000")


def test_rows_of_the_bundle_are_those_of_the_store(sqlite_log: Log) -> None:
    size = closed(sqlite_log, 20)
    with sqlite_log.database.read() as session:
        rows = session.exec(select(EvidenceRow.content).order_by(col(EvidenceRow.sequence))).all()
    assert published.entries(sqlite_log.directory, 0, size) == rows
    assert published.entries(sqlite_log.directory, 0, size)[:4] == rows[:4]


def test_no_room_for_the_bundle_is_told_as_such(sqlite_log: Log) -> None:
    place = replace(place_of(sqlite_log), spool=sqlite_log.root / "absent")
    with sequencing(sqlite_log), pytest.raises(StorageFailed, match="the bundle cannot be written"):
        bundle.export(sqlite_log.database, sqlite_log.clock, place, actor="wei-auditor")
