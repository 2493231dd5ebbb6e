"""Time stamps of our own authority: serial numbers taken before its key is used, and what came of them."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0040"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "time_stamp",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("authority", sa.String(length=40), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("policy", sa.String(length=100), nullable=False),
        sa.Column("algorithm", sa.String(length=10), nullable=False),
        sa.Column("imprint", sa.String(length=128), nullable=False),
        sa.Column("attributes_sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_time_stamp")),
    )
    with op.batch_alter_table("time_stamp", schema=None) as batch_op:
        batch_op.create_index("ix_time_stamp_authority_at", ["authority", "at"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("time_stamp", schema=None) as batch_op:
        batch_op.drop_index("ix_time_stamp_authority_at")
    op.drop_table("time_stamp")
