"""Retention of evidence: bodies, holds, purges, and who speaks of what."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "evidence_body",
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.Column("erased_by", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("record", name=op.f("pk_evidence_body")),
    )
    op.create_table(
        "evidence_hold",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("placed_by", sa.String(length=120), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("released_by", sa.String(length=120), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_hold")),
    )
    op.create_table(
        "evidence_purge",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("numbers", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_purge")),
    )
    with op.batch_alter_table("evidence_purge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_purge_state"), ["state"], unique=False)

    op.create_table(
        "evidence_reference",
        sa.Column("value", sa.String(length=220), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("value", "sequence", name=op.f("pk_evidence_reference")),
    )
    with op.batch_alter_table("evidence_reference", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_reference_sequence"), ["sequence"], unique=False)

    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.add_column(sa.Column("leaf", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.drop_column("leaf")

    with op.batch_alter_table("evidence_reference", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evidence_reference_sequence"))

    op.drop_table("evidence_reference")
    with op.batch_alter_table("evidence_purge", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evidence_purge_state"))

    op.drop_table("evidence_purge")
    op.drop_table("evidence_hold")
    op.drop_table("evidence_body")
