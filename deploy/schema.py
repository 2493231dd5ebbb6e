"""Upgrade the store to the newest revision, once, however many processes start together."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.database import Database
from core.errors import Conflict

#: PostgreSQL advisory lock held while migrating: the ASCII codes of "gs".
_LOCK = 0x6773


def configuration() -> Config:
    """Return Alembic's configuration; no ini file, the place of the scripts is this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(database: Database) -> None:
    """Run every missing migration. A crash inside leaves the store at the revision before (one transaction)."""
    config = configuration()
    writer = database.engine.execution_options(guosuo_write=True)
    with writer.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(database: Database) -> str | None:
    """Return the store's revision, or nothing when it has no tables yet."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_current(database: Database) -> None:
    """Raise ``Conflict`` when the store is not at the newest revision."""
    newest = ScriptDirectory.from_config(configuration()).get_current_head()
    found = revision(database)
    if found != newest:
        raise Conflict(f"the store is at revision `{found}`, not `{newest}`", hint="run `guosuo migrate`")
