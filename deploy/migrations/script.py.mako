"""${message}"""

import sqlalchemy as sa
from alembic import op
${"\n" + imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo the upgrade."""
    ${downgrades if downgrades else "pass"}
