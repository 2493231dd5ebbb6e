"""Witnesses and time-stamp tokens: logs that we witness, and who vouches for ours."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""

    op.create_table(
        "witnessed_log",
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witnessed_log")),
    )
    op.create_table(
        "refused_checkpoint",
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", "root", "reason", name=op.f("pk_refused_checkpoint")),
    )
    op.create_table(
        "cosignature",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=200), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("shown_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_cosignature")),
    )
    op.create_table(
        "witness_progress",
        sa.Column("witness", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("witness", name=op.f("pk_witness_progress")),
    )
    op.create_table(
        "timestamp_token",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("obtained_at", UtcDateTime(), nullable=False),
        sa.Column("shown_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_timestamp_token")),
    )
    for table, column in _INDEXED:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.create_index(batch_op.f(f"ix_{table}_{column}"), [column], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""

    for table, column in _INDEXED:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_index(batch_op.f(f"ix_{table}_{column}"))
    for table in ("timestamp_token", "witness_progress", "cosignature", "refused_checkpoint", "witnessed_log"):
        op.drop_table(table)


_INDEXED = (("refused_checkpoint", "at"), ("cosignature", "shown_at"), ("timestamp_token", "shown_at"))
