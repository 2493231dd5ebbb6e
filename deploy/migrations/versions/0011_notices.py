"""Notices that leave the building."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""

    op.create_table(
        "notice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("post", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("lines", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("receipt", sa.String(length=300), nullable=False),
        sa.Column("error", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_channel"), ["channel"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_post"), ["post"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_queued_at"), ["queued_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_state"), ["state"], unique=False)

    op.create_table(
        "notice_mark",
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("digest_at", UtcDateTime(), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name=op.f("fk_notice_mark_post_post")),
        sa.PrimaryKeyConstraint("post", name=op.f("pk_notice_mark")),
    )


def downgrade() -> None:
    """Undo the upgrade."""

    op.drop_table("notice_mark")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_state"))
        batch_op.drop_index(batch_op.f("ix_notice_queued_at"))
        batch_op.drop_index(batch_op.f("ix_notice_post"))
        batch_op.drop_index(batch_op.f("ix_notice_channel"))

    op.drop_table("notice")
