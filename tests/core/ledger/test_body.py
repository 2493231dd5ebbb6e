"""Bodies beside records: committed to, disclosed, erased; on both stores."""

import hashlib
import json
from pathlib import Path

import pytest
from sqlmodel import select

from core.database import Database
from core.errors import Malformed
from core.ledger import body, evidence
from core.ledger.entry import Event
from core.ledger.errors import BodyErased, NoBody
from core.ledger.models import EvidenceBody, EvidenceRow
from tests.clock import ManualClock
from tests.core.ledger.logs import Log

SECRET = "演练样本: the excerpt that nobody else may read"
EVENT = Event("test.thing.made", "li", "thing:1", details={"n": 1})


def append(database: Database, clock: ManualClock, **content: object) -> str:
    with database.write() as session:
        return evidence.append(session, EVENT, at=clock.now(), body={"excerpt": SECRET, **content})  # type: ignore[dict-item]  # JSON


def test_the_record_holds_a_commitment_and_not_the_body(log: Log, clock: ManualClock) -> None:
    identifier = append(log.database, clock)
    log.sequencer().run_once()
    with log.database.read() as session:
        (row,) = session.exec(select(EvidenceRow)).all()
        shown = body.disclose(session, identifier)
        assert body.read(session, identifier) == {"excerpt": SECRET}
    said = json.loads(row.content)["details"]
    assert said == {"n": 1, "body": {"sha256": hashlib.sha256(shown.salt + shown.content).hexdigest()}}
    assert len(shown.salt) == 32
    assert SECRET.encode() not in row.content
    everything = b"".join(path.read_bytes() for path in log.root.rglob("tile/**/*") if path.is_file())
    assert SECRET.encode() not in everything
    log.check()


def test_the_same_body_never_has_the_same_commitment(sqlite_log: Log, clock: ManualClock) -> None:
    for _ in range(2):
        append(sqlite_log.database, clock)
    with sqlite_log.database.read() as session:
        rows = session.exec(select(EvidenceRow.content)).all()
    assert len({json.loads(content)["details"]["body"]["sha256"] for content in rows}) == 2


def test_after_erasure_the_record_verifies_and_nothing_is_left_to_guess_with(log: Log, clock: ManualClock) -> None:
    identifier = append(log.database, clock)
    log.sequencer().run_once()
    with log.database.write() as session:
        body.wipe(session, body.get(session, identifier), by="he-audit", at=clock.now())
    log.append(1)
    log.sequencer().run_once()
    assert log.check() == 2
    with log.database.read() as session:
        row = session.get_one(EvidenceBody, identifier)
        assert (row.salt, row.content, row.erased_by) == (b"", b"", "he-audit")
        with pytest.raises(BodyErased, match="he-audit"):
            body.disclose(session, identifier)


def test_what_was_erased_is_not_in_the_file(sqlite_database: Database, clock: ManualClock, tmp_path: Path) -> None:
    identifier = append(sqlite_database, clock, filler="x" * 20_000)
    with sqlite_database.write() as session:
        body.wipe(session, body.get(session, identifier), by="he-audit", at=clock.now())
    with sqlite_database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    left = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite3*"))
    assert SECRET.encode() not in left


def test_a_record_and_its_body_are_one_transaction(database: Database, clock: ManualClock) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), database.write() as session:
        evidence.append(session, EVENT, at=clock.now(), body={"excerpt": SECRET})
        raise RuntimeError("in the middle")
    with database.read() as session:
        assert session.exec(select(EvidenceBody)).all() == []
        assert session.exec(select(EvidenceRow)).all() == []


@pytest.mark.parametrize("value", [object(), float("nan"), 2**60, "\ud800", "x" * 70_000, b"octets"])
def test_a_body_that_cannot_be_kept(database: Database, clock: ManualClock, value: object) -> None:
    with pytest.raises(Malformed, match="body of a record"):
        append(database, clock, value=value)
    with database.read() as session:
        assert session.exec(select(EvidenceBody)).all() == []


def test_no_body(database: Database) -> None:
    with database.read() as session, pytest.raises(NoBody):
        body.read(session, "0" * 32)
