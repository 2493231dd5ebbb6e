"""Certificates: authorities, intentions, certificates, revocations, lists."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "authority",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_authority")),
        sa.UniqueConstraint("serial", name=op.f("uq_authority_serial")),
    )
    op.create_table(
        "certificate",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificate")),
    )
    op.create_table(
        "crl_publication",
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("this_update", UtcDateTime(), nullable=False),
        sa.Column("next_update", UtcDateTime(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("issuer", "number", name=op.f("pk_crl_publication")),
    )
    op.create_table(
        "issuance_intent",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("tbs", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_issuance_intent")),
    )
    with op.batch_alter_table("issuance_intent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_issuance_intent_state"), ["state"], unique=False)

    op.create_table(
        "revocation",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_revocation")),
    )
    with op.batch_alter_table("revocation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_revocation_issuer"), ["issuer"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("revocation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_revocation_issuer"))

    op.drop_table("revocation")
    with op.batch_alter_table("issuance_intent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuance_intent_state"))

    op.drop_table("issuance_intent")
    op.drop_table("crl_publication")
    op.drop_table("certificate")
    op.drop_table("authority")
