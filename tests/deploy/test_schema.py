"""The migrations make what the models say, on both stores; upgrading again changes nothing."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from core.database import Database
from core.errors import Conflict, TrustError
from deploy import schema
from deploy.tables import METADATA


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))


def test_upgrade_makes_what_the_models_say(store_url: str) -> None:
    database = Database(store_url)
    assert differences(database)
    schema.upgrade(database)
    assert differences(database) == []
    schema.check_current(database)
    schema.upgrade(database)
    assert differences(database) == []
    database.close()


def test_processes_that_start_together_upgrade_once(store_url: str) -> None:
    refused: list[TrustError] = []

    def upgrade() -> None:
        database = Database(store_url)
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
    database = Database(store_url)
    assert refused == []
    assert differences(database) == []
    database.close()


def test_store_without_tables_is_not_current(store_url: str) -> None:
    database = Database(store_url)
    with pytest.raises(Conflict, match="revision") as caught:
        schema.check_current(database)
    assert "guosuo migrate" in caught.value.hint
    database.close()
