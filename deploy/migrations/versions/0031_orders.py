"""Orders to revoke many certificates, and what is left of each."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "bulk_revocation",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_revocation")),
    )
    with op.batch_alter_table("bulk_revocation") as batch_op:
        batch_op.create_index(batch_op.f("ix_bulk_revocation_state"), ["state"], unique=False)
    op.create_table(
        "bulk_revocation_item",
        sa.Column("order", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("order", "serial", name=op.f("pk_bulk_revocation_item")),
    )


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("bulk_revocation_item")
    op.drop_table("bulk_revocation")
