"""Acts of two people."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "approval",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("act", sa.String(length=80), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("proposer", sa.String(length=80), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("concluded_at", UtcDateTime(), nullable=True),
        sa.Column("result", sa.String(length=1000), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    for column in ("act", "object", "proposed_at", "proposer", "state"):
        op.create_index(op.f(f"ix_approval_{column}"), "approval", [column], unique=False)
    op.create_table(
        "approval_revision",
        sa.Column("approval", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["approval"], ["approval.id"], name=op.f("fk_approval_revision_approval_approval")),
        sa.PrimaryKeyConstraint("approval", "revision", name=op.f("pk_approval_revision")),
    )
    op.create_table(
        "approval_step",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("approval", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=10), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("comment", sa.String(length=1000), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["approval"], ["approval.id"], name=op.f("fk_approval_step_approval_approval")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_step")),
    )
    for column in ("approval", "person"):
        op.create_index(op.f(f"ix_approval_step_{column}"), "approval_step", [column], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("approval_step")
    op.drop_table("approval_revision")
    op.drop_table("approval")
