"""Acts of two people after a restore: every proposal, revision and step is there again, and nothing is done twice."""

import json

import pytest
from sqlmodel import Session, SQLModel, select

from backup.mirror import Record
from backup.replay import Replay
from core.approval.models import Approval, ApprovalRevision, ApprovalStep
from core.database import Database
from core.ledger.models import EvidenceRow
from tests.clock import ManualClock
from tests.core.approval.desk import AUDITOR, SECURITY, SYSTEM, Desk, opened


@pytest.fixture
def desk(sqlite_database: Database, clock: ManualClock) -> Desk:
    return opened(sqlite_database, clock)


def play(desk: Desk) -> None:
    """Every way a proposal can go."""
    kept = [desk.propose(body={"thing": str(number)}) for number in range(7) if not desk.clock.advance(seconds=1)]
    desk.approve(SYSTEM, kept[0])
    desk.reject(AUDITOR, kept[1])
    desk.withdraw(SECURITY, kept[2])
    desk.return_(AUDITOR, kept[3])
    desk.return_(AUDITOR, kept[4])
    desk.clock.advance(seconds=1)
    again = desk.resubmit(SECURITY, kept[4], {"thing": "4", "better": True})
    desk.world.refuses = "the thing is gone"
    desk.approve(SYSTEM, kept[5])
    desk.clock.advance(hours=23)
    assert again.state == "waiting"


def rows(session: Session, *kinds: type[SQLModel]) -> list[dict[str, object]]:
    found = [one.model_dump() for kind in kinds for one in session.exec(select(kind))]
    return sorted(found, key=lambda one: json.dumps(one, default=str, sort_keys=True))


def records(desk: Desk) -> list[Record]:
    with desk.database.read() as session:
        found = session.exec(select(EvidenceRow).order_by(EvidenceRow.row)).all()  # type: ignore[arg-type]
    return [
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
        for number, row in enumerate(found)
        if row.type.startswith("approval.")
    ]


KINDS = (Approval, ApprovalRevision, ApprovalStep)


def test_everything_is_there_again(desk: Desk) -> None:
    play(desk)
    told = records(desk)
    with desk.database.write() as session:
        before = rows(session, *KINDS)
        for kind in reversed(KINDS):
            for row in session.exec(select(kind)):
                session.delete(row)
            session.flush()
        assert rows(session, *KINDS) == []
        done = len(desk.world.done)
        # Twice: what is there already stays as it is.
        for _ in range(2):
            work = Replay(session)
            for record in told:
                work.apply(record)
            assert work.left == []
        after = rows(session, *KINDS)
    assert len(desk.world.done) == done
    for one in (*before, *after):
        if one.get("state") == "failed":
            # The evidence keeps why as a word: a sentence may name people.
            one["result"] = ""
    assert after == before


def test_a_record_without_its_proposal_is_named(desk: Desk) -> None:
    play(desk)
    with desk.database.write() as session:
        for kind in reversed(KINDS):
            for row in session.exec(select(kind)):
                session.delete(row)
            session.flush()
        work = Replay(session)
        told = [record for record in records(desk) if record.type != "approval.proposal.made"]
        for record in told:
            work.apply(record)
        assert work.left == told
