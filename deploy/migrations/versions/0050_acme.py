"""Keys, accounts, orders and what belongs to them: the ACME server."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0050"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "acme_account",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("thumbprint", sa.String(length=43), nullable=False),
        sa.Column("jwk", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acme_account")),
        sa.UniqueConstraint("thumbprint", name=op.f("uq_acme_account_thumbprint")),
    )
    with op.batch_alter_table("acme_account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_acme_account_holder"), ["holder"], unique=False)

    op.create_table(
        "acme_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acme_key")),
    )
    with op.batch_alter_table("acme_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_acme_key_holder"), ["holder"], unique=False)

    op.create_table(
        "acme_nonce",
        sa.Column("value", sa.String(length=43), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_acme_nonce")),
    )
    with op.batch_alter_table("acme_nonce", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_acme_nonce_ends_at"), ["ends_at"], unique=False)

    op.create_table(
        "acme_renewal",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("explanation", sa.String(length=500), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_acme_renewal")),
    )
    op.create_table(
        "acme_order",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("identifiers", sa.Text(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("replaces", sa.String(length=40), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("finalized_at", UtcDateTime(), nullable=True),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["acme_account.id"], name=op.f("fk_acme_order_account_acme_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acme_order")),
    )
    with op.batch_alter_table("acme_order", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_acme_order_account"), ["account"], unique=False)
        batch_op.create_index(batch_op.f("ix_acme_order_ends_at"), ["ends_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_acme_order_replaces"), ["replaces"], unique=False)
        batch_op.create_index(batch_op.f("ix_acme_order_status"), ["status"], unique=False)

    op.create_table(
        "acme_authorization",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("order", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("value", sa.String(length=253), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["order"], ["acme_order.id"], name=op.f("fk_acme_authorization_order_acme_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acme_authorization")),
    )
    with op.batch_alter_table("acme_authorization", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_acme_authorization_order"), ["order"], unique=False)

    op.create_table(
        "acme_challenge",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("authorization", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("validated_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorization"],
            ["acme_authorization.id"],
            name=op.f("fk_acme_challenge_authorization_acme_authorization"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acme_challenge")),
    )
    with op.batch_alter_table("acme_challenge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_acme_challenge_authorization"), ["authorization"], unique=False)
        batch_op.create_index(batch_op.f("ix_acme_challenge_status"), ["status"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("acme_challenge", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_acme_challenge_status"))
        batch_op.drop_index(batch_op.f("ix_acme_challenge_authorization"))

    op.drop_table("acme_challenge")
    with op.batch_alter_table("acme_authorization", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_acme_authorization_order"))

    op.drop_table("acme_authorization")
    with op.batch_alter_table("acme_order", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_acme_order_status"))
        batch_op.drop_index(batch_op.f("ix_acme_order_replaces"))
        batch_op.drop_index(batch_op.f("ix_acme_order_ends_at"))
        batch_op.drop_index(batch_op.f("ix_acme_order_account"))

    op.drop_table("acme_order")
    op.drop_table("acme_renewal")
    with op.batch_alter_table("acme_nonce", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_acme_nonce_ends_at"))

    op.drop_table("acme_nonce")
    with op.batch_alter_table("acme_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_acme_key_holder"))

    op.drop_table("acme_key")
    with op.batch_alter_table("acme_account", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_acme_account_holder"))

    op.drop_table("acme_account")
