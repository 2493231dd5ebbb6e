"""The desk after a restore: what was rejected, returned, corrected or issued after the cut is not open again."""

import json
from pathlib import Path

import pytest
from sqlmodel import select

from backup.mirror import Record
from backup.replay import Replay
from core.database import Database
from core.ledger.models import EvidenceRow
from pki import desk
from pki.models import DeskRequest
from tests.clock import ManualClock
from tests.pki.conftest import Pki, build
from tests.pki.counter import Counter, ask, stored
from tests.services.softhsm import Running


@pytest.fixture
def counter(sqlite_database: Database, clock: ManualClock, signer_process: Running, tmp_path: Path) -> Counter:
    return Counter(build(sqlite_database, clock, signer_process, tmp_path))


def count(pki: Pki) -> int:
    with pki.database.read() as session:
        return len(session.exec(select(EvidenceRow.row)).all())


def replay(pki: Pki, before: DeskRequest, cut: int) -> tuple[DeskRequest, list[str]]:
    """Put a request back as it was, and do again what its records after the cut say: twice, which is as once."""
    with pki.database.read() as session:
        rows = session.exec(select(EvidenceRow).order_by(EvidenceRow.row)).all()  # type: ignore[arg-type]  # a column
    told = [
        Record(
            sequence=number,
            content=row.content,
            identifier=row.identifier,
            at=row.at,
            type=row.type,
            actor=row.actor,
            object=row.object,
            domain=row.domain,
            result=row.result,
            details=json.loads(row.content)["details"],
        )
        for number, row in enumerate(rows)
        if number >= cut and row.type.startswith("pki.desk.")
    ]
    assert told
    with pki.database.write() as session:
        session.merge(DeskRequest(**before.model_dump()))
        session.flush()
        for _ in range(2):
            work = Replay(session)
            for record in told:
                work.apply(record)
    return stored(pki, before), [record.type for record in work.left]


def test_every_decision_is_there_again(counter: Counter) -> None:
    pki = counter.pki
    for decide in (counter.approve, counter.reject, counter.return_):
        before = pki.desk.file(ask("han-office"), actor="wu-ops")
        counter.officer("zhao-ra")
        cut = count(pki)
        decide(before)
        after = stored(pki, before)
        assert after.state in ("checked", "rejected", "returned")
        assert replay(pki, before, cut) == (after, [])


def test_what_was_issued_has_its_certificate(counter: Counter) -> None:
    before = counter.pki.desk.file(ask(), actor="wu-ops")
    cut = count(counter.pki)
    after = counter.approve(before)
    assert replay(counter.pki, before, cut) == (stored(counter.pki, after), [])


def test_a_correction_that_is_lost_is_asked_for_again(counter: Counter) -> None:
    """And what was approved of it is not approved of what was before it."""
    pki = counter.pki
    before = pki.desk.file(ask("han-office"), actor="wu-ops")
    counter.approve(before)
    cut = count(pki)
    counter.return_(before)
    counter.approve(pki.desk.correct(before.id, ask("han-office"), actor="wu-ops"))
    again, left = replay(pki, before, cut)
    assert (again.state, again.revision, again.approved_by, left) == ("returned", 2, "", [])
    assert pki.desk.correct(before.id, ask("han-office"), actor="wu-ops").revision == 3


def test_a_request_that_is_not_there_is_named(counter: Counter) -> None:
    pki = counter.pki
    with pki.database.read() as session:
        assert desk.find(session, "", 10) == []
    cut = count(pki)
    row = pki.desk.file(ask(), actor="wu-ops")
    counter.reject(row)
    with pki.database.write() as session:
        session.delete(session.get_one(DeskRequest, row.id))
    other = pki.desk.file(ask(), actor="wu-ops")
    _again, left = replay(pki, other, cut)
    assert left == ["pki.desk.filed", "pki.desk.decided"]
