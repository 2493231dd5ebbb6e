"""Who waits for a checkpoint says so."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "ledger_wish",
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_ledger_wish")),
    )


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("ledger_wish")
