from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from core.database import Database
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
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
