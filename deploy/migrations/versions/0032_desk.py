"""Requests at the registration desk."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "desk_request",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("requester", sa.String(length=120), nullable=False),
        sa.Column("filed_at", UtcDateTime(), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("csr", sa.Text(), nullable=False),
        sa.Column("dns_names", sa.Text(), nullable=False),
        sa.Column("lifetime_seconds", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("approved_by", sa.String(length=400), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("comment", sa.String(length=1000), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_request")),
    )
    with op.batch_alter_table("desk_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_desk_request_filed_at"), ["filed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_desk_request_state"), ["state"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("desk_request")
