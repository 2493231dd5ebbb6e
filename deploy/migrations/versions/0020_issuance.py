"""An intention says for which request it is, and by which profiles it was judged."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    with op.batch_alter_table("issuance_intent", schema=None) as batch_op:
        batch_op.add_column(sa.Column("request", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("profiles", sa.String(length=64), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_issuance_intent_request"), ["request"], unique=False)
    with op.batch_alter_table("issuance_intent", schema=None) as batch_op:
        batch_op.alter_column("request", server_default=None)
        batch_op.alter_column("profiles", server_default=None)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("issuance_intent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuance_intent_request"))
        batch_op.drop_column("profiles")
        batch_op.drop_column("request")
