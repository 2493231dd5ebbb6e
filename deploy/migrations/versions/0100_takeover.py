"""Authorities that ran elsewhere: what was taken over, what two people agreed on, and what of it still waits."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0100"
down_revision = "0090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "takeover",
        sa.Column("authority", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("domains", sa.Text(), nullable=False),
        sa.Column("certificate_sha256", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("authority", name=op.f("pk_takeover")),
    )
    op.create_table(
        "takeover_plan",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("authority", sa.String(length=40), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("parts", "done", "entered", "listed", "changed", "left")
        ),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("approver", sa.String(length=80), nullable=False),
        sa.Column("basis", sa.String(length=400), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_takeover_plan")),
    )
    with op.batch_alter_table("takeover_plan", schema=None) as batch_op:
        for name in ("authority", "state"):
            batch_op.create_index(batch_op.f(f"ix_takeover_plan_{name}"), [name], unique=False)
    op.create_table(
        "takeover_item",
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("plan", "position", name=op.f("pk_takeover_item")),
    )


def downgrade() -> None:
    """Undo the upgrade."""
    for name in ("takeover_item", "takeover_plan", "takeover"):
        op.drop_table(name)
