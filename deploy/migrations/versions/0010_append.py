"""Appending evidence no longer waits for the indexes that finding it needs: they cover numbered records alone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = ("at", "type", "actor", "object")


def upgrade() -> None:
    """Upgrade the store."""
    numbered = sa.text("sequence IS NOT NULL")
    for column in _COLUMNS:
        op.drop_index(f"ix_evidence_{column}", "evidence")
        op.create_index(f"ix_evidence_{column}", "evidence", [column], sqlite_where=numbered, postgresql_where=numbered)


def downgrade() -> None:
    """Undo the upgrade."""
    for column in _COLUMNS:
        op.drop_index(f"ix_evidence_{column}", "evidence")
        op.create_index(f"ix_evidence_{column}", "evidence", [column])
