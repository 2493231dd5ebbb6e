"""Initial secrets of machines, and their transactions over CMP."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0060"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "device_secret",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("hosts", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_secret")),
    )
    with op.batch_alter_table("device_secret", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_secret_holder"), ["holder"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("device_secret", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_secret_holder"))

    op.drop_table("device_secret")
