"""Alembic's entry: runs on the connection that ``deploy/schema.py`` hands in."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from core.database import UtcDateTime
from deploy.tables import METADATA


def render(kind: str, item: object, context_: AutogenContext) -> str | Literal[False]:
    """Print our two column types as a migration should name them; leave the rest to Alembic."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if kind == "type" and isinstance(item, UtcDateTime):
        context_.imports.add("from core.database import UtcDateTime")
        return "UtcDateTime()"
    return False


def run() -> None:
    """Run the migrations inside one transaction; batch mode, because SQLite cannot alter most things in place."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        render_as_batch=True,
        render_item=render,
        include_name=context.config.attributes.get("include_name"),
        include_object=context.config.attributes.get("include_object"),
    )
    with context.begin_transaction():
        context.run_migrations()


run()
