"""Alembic's entry: runs on the connection that ``deploy/schema.py`` hands in."""

from alembic import context

from deploy.tables import METADATA


def run() -> None:
    """Run the migrations inside one transaction; batch mode, because SQLite cannot alter most things in place."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=True,
        user_module_prefix="core.database.",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
