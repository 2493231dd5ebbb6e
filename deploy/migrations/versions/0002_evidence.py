"""The evidence: records, checkpoints, leases."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "evidence",
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("identifier", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_evidence")),
        sa.UniqueConstraint("identifier", name=op.f("uq_evidence_identifier")),
        sa.UniqueConstraint("sequence", name=op.f("uq_evidence_sequence")),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_actor"), ["actor"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_object"), ["object"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_type"), ["type"], unique=False)

    op.create_table(
        "job_lease",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=120), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=True),
        sa.Column("last_started", UtcDateTime(), nullable=True),
        sa.Column("last_finished", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_lease")),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_ledger_checkpoint")),
    )
    with op.batch_alter_table("ledger_checkpoint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_checkpoint_published_at"), ["published_at"], unique=False)

    op.create_table(
        "ledger_lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ledger_lease")),
    )


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("ledger_lease")
    with op.batch_alter_table("ledger_checkpoint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ledger_checkpoint_published_at"))

    op.drop_table("ledger_checkpoint")
    op.drop_table("job_lease")
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evidence_type"))
        batch_op.drop_index(batch_op.f("ix_evidence_object"))
        batch_op.drop_index(batch_op.f("ix_evidence_at"))
        batch_op.drop_index(batch_op.f("ix_evidence_actor"))

    op.drop_table("evidence")
