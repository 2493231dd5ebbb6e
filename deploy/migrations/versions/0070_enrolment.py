"""One-time codes, and what a request at the desk keeps of renewals and codes."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0070"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    with op.batch_alter_table("desk_request", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ip_addresses", sa.Text(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("renews", sa.String(length=40), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("code", sa.String(length=6), nullable=False, server_default=""))
    with op.batch_alter_table("issuance_intent", schema=None) as batch_op:
        batch_op.add_column(sa.Column("renews", sa.String(length=40), nullable=False, server_default=""))
        batch_op.create_index(
            batch_op.f("ix_issuance_intent_renews"),
            ["renews"],
            unique=False,
            sqlite_where=sa.text("renews <> ''"),
            postgresql_where=sa.text("renews <> ''"),
        )
    op.create_table(
        "enrolment_code",
        sa.Column("id", sa.String(length=6), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("dns_names", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("maker", sa.String(length=120), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=16), nullable=False),
        sa.Column("ticket_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_code")),
    )
    with op.batch_alter_table("enrolment_code", schema=None) as batch_op:
        for column in ("holder", "made_at", "maker", "state", "ticket_sha256"):
            batch_op.create_index(batch_op.f(f"ix_enrolment_code_{column}"), [column], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    op.drop_table("enrolment_code")
    with op.batch_alter_table("issuance_intent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuance_intent_renews"))
        batch_op.drop_column("renews")
    with op.batch_alter_table("desk_request", schema=None) as batch_op:
        for column in ("ip_addresses", "renews", "code"):
            batch_op.drop_column(column)
