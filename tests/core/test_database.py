from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as TimeoutError_
from sqlmodel import SQLModel, select

from core.database import Database
from core.errors import Malformed, Unavailable
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow, WitnessProgress
from core.registry.models import Organisation
from tests.clock import ManualClock


def test_concurrent_updates_are_not_lost(database: Database) -> None:
    with database.write() as session:
        session.add(Organisation(id="fin", name="0", tier="province"))

    def add_one(_number: int) -> None:
        with database.write() as session:
            statement = select(Organisation).where(Organisation.id == "fin").with_for_update()
            row = session.exec(statement).one()
            row.name = str(int(row.name) + 1)
            session.add(row)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_one, range(60)))
    with database.read() as session:
        assert session.get_one(Organisation, "fin").name == "60"


def test_moments_come_back_aware(database: Database, clock: ManualClock) -> None:
    with database.write() as session:
        evidence.append(session, Event("test.made", "li", "thing:1"), at=clock.now())
    with database.read() as session:
        assert session.exec(select(EvidenceRow)).one().at == clock.now()


def test_naive_moment_is_refused(sqlite_database: Database) -> None:
    with pytest.raises(Exception, match="offset"), sqlite_database.write() as session:
        evidence.append(session, Event("test.thing.made", "a", "o"), at=datetime(2026, 1, 1))


def test_failed_block_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as session:
        evidence.append(session, Event("test.thing.made", "a", "o"), at=datetime.now(UTC))
        raise RuntimeError
    with database.read() as session:
        assert session.exec(select(EvidenceRow)).all() == []


PROGRESS = SQLModel.metadata.tables[str(WitnessProgress.__tablename__)]


def progress(name: str, size: int, done_at: datetime | None, error: str = "") -> dict[str, object]:
    tried_at = datetime(2026, 11, 25, 8, tzinfo=UTC)
    return {"witness": name, "size": size, "tried_at": tried_at, "done_at": done_at, "error": error}


@pytest.mark.parametrize("count", [1, 2, 40])
def test_rows_come_in_by_the_driver_as_by_a_session(database: Database, clock: ManualClock, count: int) -> None:
    """One row or many: nothing, large numbers, moments, and texts that an array would have to quote."""
    texts = ["", "NULL", '{"a",\\b}', "演练样本", "it's; --"]
    rows = [progress(f"w{n}", 2**53 - n, clock.now() if n % 2 else None, texts[n % len(texts)]) for n in range(count)]
    with database.read() as session:
        # The pool has a connection to lend that was used before.
        assert not session.exec(select(WitnessProgress)).all()
    database.insert(PROGRESS, rows)
    with database.read() as session:
        found = session.exec(select(WitnessProgress).order_by(WitnessProgress.witness)).all()
    kept = [(one.witness, one.size, one.tried_at, one.done_at, one.error) for one in found]
    assert kept == sorted(tuple(row.values()) for row in rows)


@pytest.mark.parametrize("count", [1, 3])
def test_rows_that_the_store_refuses_are_all_refused(database: Database, count: int) -> None:
    good = [progress(f"w{n}", n, None) for n in range(count - 1)]
    database.insert(PROGRESS, [progress("there", 1, None)])
    with pytest.raises(IntegrityError):
        database.insert(PROGRESS, [*good, progress("there", 2, None)])
    if not database.is_sqlite:
        with pytest.raises(Malformed):
            database.insert(PROGRESS, [*good, progress("long" * 100, 1, None)])
    with database.read() as session:
        assert [one.witness for one in session.exec(select(WitnessProgress)).all()] == ["there"]


def test_no_connection_left_is_unavailable(sqlite_database: Database) -> None:
    """What waits for one in vain is told so as by a store that does not answer, and can try again."""
    with pytest.raises(Unavailable, match="every connection"), sqlite_database.read():
        raise TimeoutError_("QueuePool limit reached")
