"""The migrations make what the models say, on both stores; upgrading again changes nothing."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from core.database import Database, UtcDateTime
from core.errors import Conflict, TrustError
from core.registry import content, history
from deploy import schema
from deploy.tables import METADATA


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))


def test_upgrade_makes_what_the_models_say(bare_url: str) -> None:
    database = Database(bare_url)
    assert differences(database)
    schema.upgrade(database)
    assert differences(database) == []
    schema.check_current(database)
    schema.upgrade(database)
    assert differences(database) == []
    database.close()


def test_processes_that_start_together_upgrade_once(bare_url: str) -> None:
    refused: list[TrustError] = []

    def upgrade() -> None:
        database = Database(bare_url)
        try:
            schema.upgrade(database)
        except TrustError as error:
            refused.append(error)
        database.close()

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    database = Database(bare_url)
    assert refused == []
    assert differences(database) == []
    database.close()


def test_store_without_tables_is_not_current(bare_url: str) -> None:
    database = Database(bare_url)
    with pytest.raises(Conflict, match="revision") as caught:
        schema.check_current(database)
    assert "guosuo migrate" in caught.value.hint
    database.close()


def test_what_was_in_the_register_before_has_a_history(bare_url: str) -> None:
    """A store of an earlier version: every entry gets its first version, from when it was entered."""
    database = Database(bare_url)
    configuration = schema.configuration()
    at = datetime(2026, 3, 1, 8, 0, 0, 5, tzinfo=UTC)
    with database.engine.execution_options(guosuo_write=True).begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0011")
        for line in OLD.replace("\n ", " ").splitlines():
            connection.execute(text(line))
        names = ("identifier", "type", "actor", "object", "domain", "result", "content")
        rows = sa.table("evidence", *map(sa.column, names), sa.column("at", UtcDateTime()))
        values = {"identifier": "1", "type": "registry.person.entered", "actor": "founding", "domain": "", "at": at}
        connection.execute(sa.insert(rows), {**values, "object": "person:li-wen", "result": "done", "content": b"{}"})
    schema.upgrade(database)
    with database.read() as session:
        whole = history.whole(session, at)
        assert [(one.id, one.name, one.member_of) for one in whole.people] == [("li-wen", "李文", ("outer-fin",))]
        assert [(one.id, one.addresses, one.parent) for one in whole.domains] == [("outer-fin", ("10.0.0.0/8",), None)]
        assert [(one.id, one.holder) for one in whole.posts] == [("head", "li-wen")]
        assert [(one.id, one.level, one.information) for one in whole.systems] == [("budget", 0, ())]
        assert history.find(session, "person", "li-wen", at - timedelta(microseconds=1)) is None
        row = history.versions(session, "person", "li-wen")[0]
        assert row.content == content.write("person", whole.people[0])
        assert row.digest == content.digest(row.content, row.salt)
    database.close()


OLD = """\
INSERT INTO organisation (id, name, tier) VALUES ('fin', '财政厅', 'department')
INSERT INTO post (id, title, organisation) VALUES ('head', '主管', 'fin')
INSERT INTO security_domain (id, name, network, level, ceiling, name_space, organisation, in_charge_post,
 operating_post, suspended) VALUES ('outer-fin', '域', 'outer', 3, 1, 'f.example', 'fin', 'head', 'head', false)
INSERT INTO address_range (cidr, domain) VALUES ('10.0.0.0/8', 'outer-fin')
INSERT INTO person (id, name, organisation, domain, clearance, contact, suspended)
 VALUES ('li-wen', '李文', 'fin', 'outer-fin', 1, '-', false)
INSERT INTO domain_membership (person, domain) VALUES ('li-wen', 'outer-fin')
INSERT INTO system (id, name, domain, organisation, in_charge_post, operating_post)
 VALUES ('budget', '预算', 'outer-fin', 'fin', 'head', 'head')
INSERT INTO device (id, kind, name, system) VALUES ('gate', 'gateway', '网关', 'budget')
INSERT INTO post_holding (post, person, since, basis) VALUES ('head', 'li-wen', '2026-01-01 00:00:00.000000', '任')
"""


def test_lists_that_were_published_before_stay_published(bare_url: str) -> None:
    """What was signed by an earlier version was published then; a number that nobody signed under was not."""
    database = Database(bare_url)
    configuration = schema.configuration()
    at = datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC)
    rows = [{"number": number, "der": der, "at": at} for number, der in ((1, b"list"), (2, None))]
    insert = text(
        "INSERT INTO crl_publication (issuer, number, this_update, next_update, entries, der)"
        " VALUES ('issuing', :number, :at, :at, 0, :der)"
    ).bindparams(sa.bindparam("at", type_=UtcDateTime()), sa.bindparam("der", type_=sa.LargeBinary()))
    with database.engine.execution_options(guosuo_write=True).begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0021")
        connection.execute(insert, rows)
    schema.upgrade(database)
    found = text("SELECT number, published_at FROM crl_publication ORDER BY number").columns(
        number=sa.Integer(), published_at=UtcDateTime()
    )
    with database.engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(found)] == [(1, at), (2, None)]
    database.close()
