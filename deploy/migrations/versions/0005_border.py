"""The border: findings, sensors, blind windows."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "finding",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("sighting", sa.String(length=160), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("last", UtcDateTime(), nullable=False),
        sa.Column("received", UtcDateTime(), nullable=False),
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("sid", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("ceiling", sa.Integer(), nullable=False),
        sa.Column("marking", sa.String(length=80), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("malformed", sa.Boolean(), nullable=False),
        sa.Column("exceeds", sa.Boolean(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("excerpt", sa.String(length=120), nullable=False),
        sa.Column("encoding", sa.String(length=80), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("transaction", sa.String(length=80), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=45), nullable=False),
        sa.Column("source_port", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(length=45), nullable=False),
        sa.Column("destination_port", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("explanation", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("person_name", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(length=80), nullable=False),
        sa.Column("organisation_name", sa.String(), nullable=False),
        sa.Column("system", sa.String(length=80), nullable=False),
        sa.Column("application", sa.String(length=80), nullable=False),
        sa.Column("candidates", sa.String(), nullable=False),
        sa.Column("in_charge_post", sa.String(length=80), nullable=False),
        sa.Column("in_charge_person", sa.String(length=80), nullable=False),
        sa.Column("in_charge_name", sa.String(), nullable=False),
        sa.Column("operating_post", sa.String(length=80), nullable=False),
        sa.Column("operating_person", sa.String(length=80), nullable=False),
        sa.Column("operating_name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint("sighting", name=op.f("uq_finding_sighting")),
    )
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_finding_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_domain"), ["domain"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_in_charge_person"), ["in_charge_person"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_operating_person"), ["operating_person"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_person"), ["person"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_request_id"), ["request_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_sensor"), ["sensor"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_serial"), ["serial"], unique=False)
        batch_op.create_index(batch_op.f("ix_finding_state"), ["state"], unique=False)

    op.create_table(
        "sensor",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("first_heard", UtcDateTime(), nullable=False),
        sa.Column("last_heard", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sensor")),
    )
    op.create_table(
        "sensor_window",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("cause", sa.String(length=80), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_window")),
    )
    with op.batch_alter_table("sensor_window", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sensor_window_sensor"), ["sensor"], unique=False)
        batch_op.create_index(batch_op.f("ix_sensor_window_since"), ["since"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("sensor_window", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sensor_window_since"))
        batch_op.drop_index(batch_op.f("ix_sensor_window_sensor"))

    op.drop_table("sensor_window")
    op.drop_table("sensor")
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_finding_state"))
        batch_op.drop_index(batch_op.f("ix_finding_serial"))
        batch_op.drop_index(batch_op.f("ix_finding_sensor"))
        batch_op.drop_index(batch_op.f("ix_finding_request_id"))
        batch_op.drop_index(batch_op.f("ix_finding_person"))
        batch_op.drop_index(batch_op.f("ix_finding_operating_person"))
        batch_op.drop_index(batch_op.f("ix_finding_in_charge_person"))
        batch_op.drop_index(batch_op.f("ix_finding_domain"))
        batch_op.drop_index(batch_op.f("ix_finding_at"))

    op.drop_table("finding")
