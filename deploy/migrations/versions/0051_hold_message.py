"""What is said of a hold stands in the body of its record alone, where it can be erased."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    with op.batch_alter_table("certificate_hold") as batch_op:
        batch_op.drop_column("message")


def downgrade() -> None:
    """Undo the upgrade; what was said stays where it is."""
    with op.batch_alter_table("certificate_hold") as batch_op:
        batch_op.add_column(sa.Column("message", sa.String(length=400), nullable=False, server_default=""))
