"""What passed a gateway."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "gateway_request",
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("gateway", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("application", sa.String(length=80), nullable=False),
        sa.Column("system", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=160), nullable=False),
        sa.Column("resource", sa.String(length=200), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_gateway_request")),
    )
    with op.batch_alter_table("gateway_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gateway_request_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_gateway_request_person"), ["person"], unique=False)
        batch_op.create_index(batch_op.f("ix_gateway_request_serial"), ["serial"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("gateway_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_gateway_request_serial"))
        batch_op.drop_index(batch_op.f("ix_gateway_request_person"))
        batch_op.drop_index(batch_op.f("ix_gateway_request_at"))

    op.drop_table("gateway_request")
