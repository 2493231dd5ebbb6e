"""Appending no longer waits for the indexes that finding needs; who waits for a checkpoint says so."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = ("at", "type", "actor", "object")


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "ledger_wish",
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_ledger_wish")),
    )
    # These cover numbered records alone.
    numbered = sa.text("sequence IS NOT NULL")
    for column in _COLUMNS:
        op.drop_index(f"ix_evidence_{column}", "evidence")
        op.create_index(f"ix_evidence_{column}", "evidence", [column], sqlite_where=numbered, postgresql_where=numbered)


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("ledger_wish")
    for column in _COLUMNS:
        op.drop_index(f"ix_evidence_{column}", "evidence")
        op.create_index(f"ix_evidence_{column}", "evidence", [column])
