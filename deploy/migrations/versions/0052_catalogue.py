"""Certificates are found in the order of their time, all of them or a holder's, however many there are."""

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    with op.batch_alter_table("credential") as batch_op:
        batch_op.drop_index("ix_credential_holder_kind")
        batch_op.drop_index("ix_credential_holder")
        batch_op.drop_index("ix_credential_state")
        batch_op.create_index("ix_credential_holder", ["holder", "not_before", "serial"])
        batch_op.create_index("ix_credential_state", ["state", "not_before", "serial"])
        batch_op.create_index("ix_credential_not_before", ["not_before", "serial"])


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("credential") as batch_op:
        batch_op.drop_index("ix_credential_not_before")
        batch_op.drop_index("ix_credential_state")
        batch_op.drop_index("ix_credential_holder")
        batch_op.create_index("ix_credential_holder", ["holder"])
        batch_op.create_index("ix_credential_state", ["state"])
        batch_op.create_index("ix_credential_holder_kind", ["holder_kind"])
