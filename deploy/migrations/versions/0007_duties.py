"""Duties of posts; people who left."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""

    op.create_table(
        "duty",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=240), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("acknowledged_by", sa.String(length=120), nullable=False),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("signature", sa.String(length=32), nullable=False),
        sa.Column("escalated_post", sa.String(length=80), nullable=False),
        sa.Column("escalated_at", UtcDateTime(), nullable=True),
        sa.Column("settled_by", sa.String(length=120), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name=op.f("fk_duty_post_post")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty")),
    )
    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duty_due"), ["due"], unique=False)
        batch_op.create_index(batch_op.f("ix_duty_escalated_post"), ["escalated_post"], unique=False)
        batch_op.create_index(batch_op.f("ix_duty_object"), ["object"], unique=False)
        batch_op.create_index(batch_op.f("ix_duty_post"), ["post"], unique=False)
        batch_op.create_index(batch_op.f("ix_duty_raised_at"), ["raised_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_duty_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_duty_unsettled",
            ["kind", "object"],
            unique=True,
            sqlite_where=sa.text("state <> 'settled'"),
            postgresql_where=sa.text("state <> 'settled'"),
        )

    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.add_column(sa.Column("left_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Undo the upgrade."""

    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_column("left_at")

    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_duty_unsettled",
            sqlite_where=sa.text("state <> 'settled'"),
            postgresql_where=sa.text("state <> 'settled'"),
        )
        batch_op.drop_index(batch_op.f("ix_duty_state"))
        batch_op.drop_index(batch_op.f("ix_duty_raised_at"))
        batch_op.drop_index(batch_op.f("ix_duty_post"))
        batch_op.drop_index(batch_op.f("ix_duty_object"))
        batch_op.drop_index(batch_op.f("ix_duty_escalated_post"))
        batch_op.drop_index(batch_op.f("ix_duty_due"))

    op.drop_table("duty")
