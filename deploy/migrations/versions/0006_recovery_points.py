"""Recovery points."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "recovery_point",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ledger_size", sa.Integer(), nullable=False),
        sa.Column("ledger_root", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("cause", sa.String(length=400), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_point")),
    )
    with op.batch_alter_table("recovery_point", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recovery_point_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_recovery_point_state"), ["state"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("recovery_point", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recovery_point_state"))
        batch_op.drop_index(batch_op.f("ix_recovery_point_at"))

    op.drop_table("recovery_point")
