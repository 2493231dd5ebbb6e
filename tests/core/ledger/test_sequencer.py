import json
import shutil
import threading
from datetime import datetime

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from core.errors import Unavailable
from core.ledger import publication
from core.ledger.errors import (
    BadCheckpointSignature,
    Fenced,
    InconsistentLog,
    LeaseHeld,
    NotPublished,
    StorageFailed,
    UnknownRecord,
)
from core.ledger.models import EvidenceRow, LedgerCheckpoint
from core.ledger.sequencer import BUNDLE_EXPORTED
from tests.clock import ManualClock
from tests.core.ledger.keys import MemoryCheckpointSigner
from tests.core.ledger.logs import Log


def test_nothing_to_do(log: Log) -> None:
    assert log.sequencer().run_once() == 0
    assert log.check() == 0


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_a_batch_is_published(log: Log, count: int) -> None:
    log.append(count)
    assert log.sequencer().run_once() == count
    assert log.check() == count


def test_a_batch_larger_than_one_transaction(sqlite_log: Log) -> None:
    sqlite_log.append(4_500)
    assert sqlite_log.sequencer().run_once() == 4_500
    assert sqlite_log.check() == 4_500


def test_growing_by_steps_keeps_every_checkpoint(log: Log) -> None:
    sequencer = log.sequencer()
    total = 0
    for step in (1, 2, 100, 153, 1, 255, 2):
        log.append(step)
        assert sequencer.run_once() == step
        total += step
        assert log.check() == total
    assert sorted(int(path.name) for path in (log.directory / "checkpoints").iterdir()) == [
        1,
        3,
        103,
        256,
        257,
        512,
        514,
    ]
    assert sequencer.run_once() == 0


def test_incomplete_tiles_go_when_the_full_one_is_published(log: Log) -> None:
    sequencer = log.sequencer()
    for step in (10, 245, 3):
        log.append(step)
        sequencer.run_once()
    for root in (log.directory, log.mirror):
        names = sorted(str(path.relative_to(root / "tile")) for path in (root / "tile").rglob("*") if path.is_file())
        assert names == ["0/000", "0/001.p/2", "1/000.p/1", "entries/000", "entries/001.p/2"]
    log.check()


def test_a_new_sequencer_goes_on_where_the_old_one_ended(log: Log) -> None:
    for step in (3, 300, 5):
        log.append(step)
        log.sequencer().run_once()
        log.check()


def test_lost_directory_and_mirror_are_rebuilt_from_the_records(log: Log) -> None:
    log.append(300)
    log.sequencer().run_once()
    shutil.rmtree(log.directory)
    log.sequencer().run_once()
    assert log.check() == 300
    shutil.rmtree(log.mirror)
    log.append(1)
    log.sequencer().run_once()
    assert log.check() == 301


def test_damaged_tiles_are_healed(log: Log) -> None:
    log.append(300)
    log.sequencer().run_once()
    (log.directory / "tile/entries/000").write_bytes(b"damaged")
    (log.mirror / "tile/0/000").unlink()
    log.sequencer().run_once()
    assert log.check() == 300


def test_an_export_record_closes_a_checkpoint(log: Log) -> None:
    log.append(4)
    log.append(1, kind=BUNDLE_EXPORTED)
    log.append(3)
    log.sequencer().run_once()
    assert log.check() == 8
    assert sorted(int(path.name) for path in (log.directory / "checkpoints").iterdir()) == [5, 8]


def test_a_changed_record_stops_the_signing(log: Log) -> None:
    log.append(10)
    log.sequencer().run_once()
    before = (log.directory / "checkpoint").read_bytes()
    with log.database.write() as session:
        session.execute(update(EvidenceRow).where(col(EvidenceRow.sequence) == 4).values(content=b"{}"))
    log.append(1)
    signer = MemoryCheckpointSigner()
    with pytest.raises(InconsistentLog, match="first 10 records"):
        log.sequencer(signer=signer).run_once()
    assert signer.signed == []
    assert (log.directory / "checkpoint").read_bytes() == before


def test_a_removed_record_stops_the_signing(log: Log) -> None:
    log.append(10)
    log.sequencer().run_once()
    with log.database.write() as session:
        session.delete(session.exec(select(EvidenceRow).where(EvidenceRow.sequence == 4)).one())
    with pytest.raises(InconsistentLog, match="record 4 is missing"):
        log.sequencer().run_once()


def test_a_store_older_than_its_evidence_stops_the_signing(log: Log) -> None:
    log.append(10)
    log.sequencer().run_once()
    with log.database.write() as session:
        for row in session.exec(select(EvidenceRow).where(col(EvidenceRow.sequence) > 6)):
            session.delete(row)
        for signed in session.exec(select(LedgerCheckpoint)):
            session.delete(signed)
    shutil.rmtree(log.directory)
    log.append(2)
    signer = MemoryCheckpointSigner()
    with pytest.raises(InconsistentLog, match="checkpoint of size 10 was signed, the store holds only 9"):
        log.sequencer(signer=signer).run_once()
    assert signer.signed == []


def test_another_key_stops_the_signing(log: Log) -> None:
    log.append(1)
    log.sequencer().run_once()
    log.append(1)
    with pytest.raises(BadCheckpointSignature):
        log.sequencer(signer=MemoryCheckpointSigner(b"another")).run_once()


class LyingSigner(MemoryCheckpointSigner):
    """Names one key and signs with another, as a token with two keys under one label would."""

    def sign(self, message: bytes) -> bytes:
        return MemoryCheckpointSigner(b"another").sign(message)


def test_a_signature_that_does_not_verify_is_not_published(log: Log) -> None:
    log.append(1)
    with pytest.raises(BadCheckpointSignature):
        log.sequencer(signer=LyingSigner()).run_once()
    assert not (log.directory / "checkpoint").exists()


def test_a_second_sequencer_waits_then_takes_over_and_the_first_is_fenced(log: Log, clock: ManualClock) -> None:
    first, second = log.sequencer(owner="one"), log.sequencer(owner="two")
    log.append(3)
    first.run_once()
    with pytest.raises(LeaseHeld, match="`one` is the sequencer"):
        second.run_once()
    clock.advance(seconds=11)
    log.append(2)
    assert second.run_once() == 2
    log.append(2)
    with pytest.raises(Fenced):
        first.run_once()
    assert second.run_once() == 2
    assert log.check() == 7


def test_a_new_instance_of_the_same_owner_takes_over_at_once(log: Log) -> None:
    first, second = log.sequencer(), log.sequencer()
    log.append(1)
    first.run_once()
    log.append(1)
    assert second.run_once() == 1
    log.append(1)
    # The first one's lease still seems to run; the fencing number in the transaction says otherwise.
    for _ in range(2):
        with pytest.raises(Fenced):
            first.run_once()
    assert second.run_once() == 1
    assert log.check() == 3


def test_two_sequencers_at_once(log: Log) -> None:
    """Both run as fast as they can; whoever is fenced ends. The log stays one log."""
    log.append(20)
    ended: list[type[Exception]] = []

    def work() -> None:
        sequencer = log.sequencer()
        try:
            for _ in range(15):
                log.append(3)
                sequencer.run_once()
        except (Fenced, Unavailable) as error:
            ended.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended, "nobody was fenced"
    log.sequencer().run_once()
    log.check()


def test_run_publishes_until_it_is_stopped(log: Log) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=log.sequencer().run, args=(stop,))
    thread.start()
    try:
        for number in range(5):
            (identifier,) = log.append(1)
            assert publication.await_publication(log.database, identifier, timeout=20) == number
    finally:
        stop.set()
        thread.join()
    assert log.check() == 5


def test_a_sequencer_that_idles_between_its_failures_still_says_so(sqlite_log: Log) -> None:
    """A copy of which one tile cannot be looked at: that is tried every second, and between there is nothing to do."""
    sqlite_log.append(256)
    raised: list[Exception] = []
    stop = threading.Event()

    def work() -> None:
        try:
            sqlite_log.sequencer(patience=1.5).run(stop)
        except StorageFailed as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        (identifier,) = sqlite_log.append(1)
        publication.await_publication(sqlite_log.database, identifier, timeout=20)
        tile = sqlite_log.mirror / "tile/entries/000"
        tile.unlink()
        tile.mkdir()
        thread.join(8)
    finally:
        stop.set()
        thread.join()
    assert "tile/entries/000" in raised[0].detail


def test_publication_is_awaited_in_vain(log: Log) -> None:
    (identifier,) = log.append(1)
    with pytest.raises(NotPublished):
        publication.await_publication(log.database, identifier, timeout=0.05)
    with pytest.raises(UnknownRecord):
        publication.await_publication(log.database, "0" * 32, timeout=0.05)


def test_records_are_numbered_in_the_order_of_their_rows(log: Log) -> None:
    log.append(30)
    log.sequencer().run_once()
    with log.database.read() as session:
        rows = session.exec(select(EvidenceRow).order_by(col(EvidenceRow.row))).all()
        session.expunge_all()
    assert [row.sequence for row in rows] == list(range(30))
    moment = datetime.fromisoformat(json.loads(rows[0].content)["at"])
    assert moment == rows[0].at
