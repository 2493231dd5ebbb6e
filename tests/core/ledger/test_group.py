"""Many writers, one transaction: nobody is told before it is committed, and nobody pays for another's mistake."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col, select

from core.database import Database
from core.errors import Conflict, Malformed, Unavailable
from core.jobs import JobLease
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.errors import QueueFull
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow
from tests.clock import ManualClock
from tests.failing import FailingDatabase, Failure, failing_insert
from tests.services.postgres import Cluster

EVENT = Event("test.thing.made", "li", "thing:1")


def stored(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.exec(select(EvidenceRow.identifier)))


def leases(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.exec(select(JobLease.name)))


def act(name: str, clock: ManualClock) -> Callable[[Session], str]:
    """An act with its record."""

    def unit(session: Session) -> str:
        session.add(JobLease(name=name))
        return evidence.append(session, EVENT, at=clock.now())

    return unit


class Crowd:
    """Threads that come together while one of them holds the lead."""

    def __init__(self, group: GroupCommit) -> None:
        self.answers: dict[str, object] = {}
        self._group = group
        self._threads: list[threading.Thread] = []

    def ask(self, name: str, ask: Callable[[], object]) -> None:
        def work() -> None:
            try:
                self.answers[name] = ask()
            except Exception as error:  # noqa: BLE001
                self.answers[name] = error

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    @contextmanager
    def held(self, clock: ManualClock, waiting: int) -> Iterator[None]:
        """Let a leader stand still until ``waiting`` others have come."""
        inside, go = threading.Event(), threading.Event()

        def stand(session: Session) -> str:
            inside.set()
            assert go.wait(20)
            return act("leader", clock)(session)

        self.ask("leader", lambda: self._group.run(stand))
        assert inside.wait(20)
        yield
        for _ in range(2_000):
            if len(self._group._queue) == waiting:
                break
            threading.Event().wait(0.005)
        go.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


def test_what_is_answered_is_stored(database: Database, clock: ManualClock) -> None:
    group = GroupCommit(database)
    first = group.append(EVENT, at=clock.now())
    several = group.append_all([EVENT] * 300, at=clock.now())
    acted = group.run(act("one", clock))
    assert stored(database) == {first, *several, acted}
    assert leases(database) == ["one"]
    assert len(stored(database)) == 302


def test_many_writers_are_each_told_of_their_own(database: Database, clock: ManualClock) -> None:
    group = GroupCommit(database)
    told: list[str] = []

    def write(number: int) -> None:
        for count in range(25):
            unit = act(f"{number}-{count}", clock)
            told.append(group.run(unit) if count % 3 == 0 else group.append(EVENT, at=clock.now()))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) == 300
    assert stored(database) == set(told)
    assert len(leases(database)) == 12 * 9


def test_one_that_fails_fails_alone(sqlite_database: Database, clock: ManualClock) -> None:
    """Its act and its record are undone together; whatever it raised reaches its own caller."""
    group, boom = GroupCommit(sqlite_database), ZeroDivisionError("boom")
    crowd = Crowd(group)

    def refused(session: Session) -> str:
        act("refused", clock)(session)
        raise Conflict("not now")

    def broken(session: Session) -> str:
        act("broken", clock)(session)
        raise boom

    with crowd.held(clock, 6):
        crowd.ask("good", lambda: group.run(act("good", clock)))
        crowd.ask("refused", lambda: group.run(refused))
        crowd.ask("record", lambda: group.append(EVENT, at=clock.now()))
        crowd.ask("broken", lambda: group.run(broken))
        crowd.ask("twice", lambda: group.run(act("leader", clock)))
        crowd.ask("last", lambda: group.run(act("last", clock)))
    assert leases(sqlite_database) == ["good", "last", "leader"]
    assert stored(sqlite_database) == {crowd.answers[name] for name in ("leader", "good", "record", "last")}
    assert isinstance(crowd.answers["refused"], Conflict)
    assert crowd.answers["broken"] is boom
    assert isinstance(crowd.answers["twice"], IntegrityError)


@pytest.mark.parametrize("how", list(Failure))
def test_a_commit_that_fails_refuses_everybody(tmp_path: Path, clock: ManualClock, how: Failure) -> None:
    database = FailingDatabase(f"sqlite:///{tmp_path}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    group = GroupCommit(database)
    crowd = Crowd(group)
    database.arm(2, how)
    with crowd.held(clock, 3):
        crowd.ask("act", lambda: group.run(act("act", clock)))
        crowd.ask("record", lambda: group.append(EVENT, at=clock.now()))
        crowd.ask("other", lambda: group.run(act("other", clock)))
    refusals = [crowd.answers[name] for name in ("act", "record", "other")]
    assert all(isinstance(one, Unavailable) for one in refusals)
    assert len({id(one) for one in refusals}) == 3, "one error raised in several threads"
    assert len(stored(database)) == (1 if how is Failure.NOT_APPLIED else 4)
    # It goes on, alone and with others.
    assert group.append(EVENT, at=clock.now()) in stored(database)
    database.close()


@pytest.mark.parametrize("how", list(Failure))
def test_records_alone_whose_commit_fails(tmp_path: Path, clock: ManualClock, how: Failure) -> None:
    database = FailingDatabase(f"sqlite:///{tmp_path}/store.sqlite3")
    SQLModel.metadata.create_all(database.engine)
    group = GroupCommit(database)
    database.arm(1, how)
    with pytest.raises(Unavailable):
        group.append_all([EVENT] * 3, at=clock.now())
    assert len(stored(database)) == (0 if how is Failure.NOT_APPLIED else 3)
    assert group.append(EVENT, at=clock.now()) in stored(database)
    database.close()


def test_a_full_queue_refuses_and_nothing_is_done(sqlite_database: Database, clock: ManualClock) -> None:
    group = GroupCommit(sqlite_database, capacity=2)
    crowd = Crowd(group)
    with crowd.held(clock, 2):
        for name in ("a", "b"):
            crowd.ask(name, lambda name=name: group.run(act(name, clock)))  # type: ignore[misc]
        for _ in range(2_000):
            if len(group._queue) == 2:
                break
            threading.Event().wait(0.005)
        with pytest.raises(QueueFull, match="2 records wait"):
            group.run(act("refused", clock))
    assert leases(sqlite_database) == ["a", "b", "leader"]
    assert len(stored(sqlite_database)) == 3


def test_what_is_no_record_is_refused_before_it_waits(database: Database, clock: ManualClock) -> None:
    group = GroupCommit(database)
    with pytest.raises(Malformed):
        group.append_all([EVENT, Event("a.b", "l" * 121, "x")], at=clock.now())
    assert stored(database) == set()


def test_a_store_that_is_gone_refuses_and_is_found_again(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "folder" / "store.sqlite3"
    database = Database(f"sqlite:///{path}")
    group = GroupCommit(database)
    for _ in range(2):
        with pytest.raises(Unavailable):
            group.append(EVENT, at=clock.now())
        with pytest.raises(Unavailable):
            group.run(act("none", clock))
    path.parent.mkdir()
    SQLModel.metadata.create_all(database.engine)
    assert group.append(EVENT, at=clock.now()) in stored(database)
    database.close()


def test_a_row_as_the_session_would_write_it(database: Database, clock: ManualClock) -> None:
    """The quick way stores the same values as the long one."""
    quick = GroupCommit(database).append(EVENT, at=clock.now())
    with database.write() as session:
        slow = evidence.append(session, EVENT, at=clock.now())
    with database.read() as session:
        rows = session.exec(select(EvidenceRow).order_by(col(EvidenceRow.row))).all()
        found = [row.model_dump(exclude={"row", "identifier", "content"}) for row in rows]
    assert found[0] == found[1]
    assert [row.identifier for row in rows] == [quick, slow]


@pytest.mark.parametrize("nth", [1, 3])
def test_a_full_postgresql_takes_all_or_none(postgres_database: Database, clock: ManualClock, nth: int) -> None:
    group = GroupCommit(postgres_database)
    kept = group.append(EVENT, at=clock.now())
    with failing_insert(postgres_database, "evidence", nth):
        with pytest.raises(Unavailable):
            group.append_all([EVENT] * 3, at=clock.now())
        assert stored(postgres_database) == {kept}
        later = [group.append(EVENT, at=clock.now()) for _ in range(3)]
    assert stored(postgres_database) == {kept, *later}


def test_one_record_that_postgresql_refuses(postgres_database: Database, clock: ManualClock) -> None:
    group = GroupCommit(postgres_database)
    with failing_insert(postgres_database, "evidence"), pytest.raises(Unavailable):
        group.append(EVENT, at=clock.now())
    assert stored(postgres_database) == set()
    assert {group.append(EVENT, at=clock.now())} == stored(postgres_database)


@pytest.fixture
def postgres_database(postgres_cluster: Cluster) -> Iterator[Database]:
    database = Database(postgres_cluster.create())
    SQLModel.metadata.create_all(database.engine)
    yield database
    database.close()
