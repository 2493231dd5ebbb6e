"""The store itself keeps evidence: whoever can write to it by the product's account changes and deletes nothing."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from core.database import Database
from core.ledger import evidence, purge
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from deploy import schema
from tests.clock import ManualClock

PURGE = "ab" * 16


@pytest.fixture
def store(bare_url: str, clock: ManualClock) -> Iterator[Database]:
    """A store as migrations make it, with two numbered records and one that is not numbered yet."""
    made = Database(bare_url)
    schema.upgrade(made)
    with made.write() as session:
        for number in range(3):
            evidence.append(session, Event("test.thing.done", "li-wen", f"thing:{number}"), at=clock.now())
        session.execute(text("UPDATE evidence SET sequence = 0 WHERE object = 'thing:0'"))
        session.execute(text("UPDATE evidence SET sequence = 1 WHERE object = 'thing:1'"))
    yield made
    made.close()


def contents(store: Database) -> list[tuple[object, ...]]:
    with store.read() as session:
        return [tuple(row) for row in session.execute(text("SELECT * FROM evidence ORDER BY 1")).all()]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM evidence",
        "DELETE FROM evidence WHERE sequence IS NULL",
        "UPDATE evidence SET content = 'x' WHERE sequence = 0",
        "UPDATE evidence SET content = 'x' WHERE sequence IS NULL",
        "UPDATE evidence SET actor = 'somebody-else'",
        "UPDATE evidence SET at = '2020-01-01 00:00:00'",
        "UPDATE evidence SET result = 'refused', leaf = 'x' WHERE sequence = 0",
        f"UPDATE evidence SET content = '{{\"by\":\"{PURGE}\"}}', leaf = 'x' WHERE sequence = 0",
        "UPDATE evidence SET sequence = 5 WHERE sequence = 0",
        "UPDATE evidence SET sequence = NULL WHERE sequence = 0",
    ],
)
def test_nothing_is_changed_or_deleted(store: Database, statement: str) -> None:
    before = contents(store)
    with pytest.raises(DatabaseError, match="evidence is"), store.write() as session:
        session.execute(text(statement))
    assert contents(store) == before


def test_a_record_is_numbered(store: Database) -> None:
    with store.write() as session:
        session.execute(text("UPDATE evidence SET sequence = 2 WHERE sequence IS NULL"))
    assert len(contents(store)) == 3


def test_only_a_decided_purge_puts_its_own_stub_there(store: Database, clock: ManualClock) -> None:
    with store.write() as session:
        purge.enter(session, PURGE, [(0, 0)], at=clock.now())
    with pytest.raises(DatabaseError, match="evidence is"), store.write() as session:
        session.execute(text("UPDATE evidence SET content = 'x', leaf = 'x' WHERE sequence = 0"))
    with pytest.raises(DatabaseError, match="evidence is"), store.write() as session:
        unnumbered = session.execute(text("SELECT row FROM evidence WHERE sequence IS NULL")).scalar_one()
        purge.replace_row(session, session.get_one(EvidenceRow, unnumbered), PURGE)
    with store.write() as session:
        first = session.execute(text("SELECT row FROM evidence WHERE sequence = 0")).scalar_one()
        purge.replace_row(session, session.get_one(EvidenceRow, first), PURGE)
    with pytest.raises(DatabaseError, match="evidence is"), store.write() as session:
        # A stub is for ever, too.
        session.execute(text("UPDATE evidence SET content = content WHERE sequence = 0"))
    with store.write() as session:
        session.execute(text("UPDATE evidence_purge SET state = 'rows'"))
    with pytest.raises(DatabaseError, match="evidence is"), store.write() as session:
        second = session.execute(text("SELECT row FROM evidence WHERE sequence = 1")).scalar_one()
        purge.replace_row(session, session.get_one(EvidenceRow, second), PURGE)


def test_the_way_back_takes_everything_away(store: Database) -> None:
    config = schema.configuration()
    with store.engine.execution_options(guosuo_write=True).begin() as connection:
        config.attributes["connection"] = connection
        schema.command.downgrade(config, "0013")
    with store.write() as session:
        session.execute(text("DELETE FROM evidence"))
    assert contents(store) == []
