"""Authorities as data: who signed which, and those that two people add."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0090"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    with op.batch_alter_table("authority", schema=None) as batch_op:
        batch_op.add_column(sa.Column("issuer", sa.String(length=40), nullable=False, server_default=""))
    op.execute("UPDATE authority SET issuer = 'root' WHERE name IN ('root', 'issuing')")
    # Responders and time-stamp authorities, also those of before: until now there was one authority that signed them.
    op.execute("UPDATE authority SET issuer = 'issuing' WHERE issuer = ''")
    with op.batch_alter_table("authority", schema=None) as batch_op:
        batch_op.alter_column("issuer", server_default=None)

    op.create_table(
        "authority_plan",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("parent", sa.String(length=40), nullable=False),
        sa.Column("path_length", sa.Integer(), nullable=False),
        sa.Column("algorithm", sa.String(length=20), nullable=False),
        sa.Column("domains", sa.Text(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("policies", sa.Text(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("proposer", sa.String(length=80), nullable=False),
        sa.Column("approver", sa.String(length=80), nullable=False),
        sa.Column("basis", sa.String(length=400), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_authority_plan")),
        sa.UniqueConstraint("name", name=op.f("uq_authority_plan_name")),
    )


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("authority_plan")
    with op.batch_alter_table("authority", schema=None) as batch_op:
        batch_op.drop_column("issuer")
