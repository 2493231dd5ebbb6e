"""Initial secrets of machines, and their transactions over CMP."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0060"
down_revision = "0052"
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

    op.create_table(
        "cmp_transaction",
        sa.Column("id", sa.String(length=256), nullable=False),
        sa.Column("proof", sa.String(length=80), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("request", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(length=256), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("implicit", sa.Boolean(), nullable=False),
        sa.Column("desk", sa.String(length=16), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cmp_transaction")),
    )
    with op.batch_alter_table("cmp_transaction", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cmp_transaction_begun_at"), ["begun_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_cmp_transaction_state"), ["state"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("cmp_transaction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_cmp_transaction_state"))
        batch_op.drop_index(batch_op.f("ix_cmp_transaction_begun_at"))

    op.drop_table("cmp_transaction")
    with op.batch_alter_table("device_secret", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_secret_holder"))

    op.drop_table("device_secret")
