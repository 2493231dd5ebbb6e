"""Revocations know their shard; holds, changes and the lists of a publication have tables of their own.

Lists that were published before are not taken over: the next run of the job signs every list under higher numbers.
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0030"
down_revision = "0021"
branch_labels = None
depends_on = None

#: Into how many shards revocations are divided (``pki.pointers.SHARDS`` at this revision).
_SHARDS = 128


def upgrade() -> None:
    """Upgrade the store."""
    with op.batch_alter_table("revocation") as batch_op:
        batch_op.add_column(sa.Column("shard", sa.Integer(), nullable=False, server_default="0"))
        batch_op.drop_index("ix_revocation_issuer")
    _divide()
    with op.batch_alter_table("revocation") as batch_op:
        batch_op.alter_column("shard", server_default=None)
        batch_op.create_index("ix_revocation_issuer_shard", ["issuer", "shard"], unique=False)
    with op.batch_alter_table("crl_publication") as batch_op:
        batch_op.add_column(sa.Column("published_at", UtcDateTime(), nullable=True))
    # Nobody is told of them again, and none waits to be told: what was signed then was published then.
    op.execute("UPDATE crl_publication SET published_at = this_update WHERE der IS NOT NULL")
    with op.batch_alter_table("crl_publication") as batch_op:
        batch_op.drop_column("der")
    _make_holds()
    _make_changes()
    _make_lists()


def _divide() -> None:
    connection = op.get_bind()
    serials = [row[0] for row in connection.execute(sa.text("SELECT serial FROM revocation"))]
    rows = [{"serial": serial, "shard": int(serial[-16:], 16) % _SHARDS} for serial in serials]
    if rows:
        connection.execute(sa.text("UPDATE revocation SET shard = :shard WHERE serial = :serial"), rows)


def _make_holds() -> None:
    op.create_table(
        "certificate_hold",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("message", sa.String(length=400), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificate_hold")),
    )
    with op.batch_alter_table("certificate_hold") as batch_op:
        batch_op.create_index("ix_certificate_hold_issuer_shard", ["issuer", "shard"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_hold_until"), ["until"], unique=False)


def _make_changes() -> None:
    op.create_table(
        "revocation_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocation_change")),
    )
    with op.batch_alter_table("revocation_change") as batch_op:
        batch_op.create_index("ix_revocation_change_issuer_number", ["issuer", "number"], unique=False)
        batch_op.create_index(batch_op.f("ix_revocation_change_serial"), ["serial"], unique=False)


def _make_lists() -> None:
    op.create_table(
        "crl_list",
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("this_update", UtcDateTime(), nullable=False),
        sa.Column("next_update", UtcDateTime(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=True),
        sa.Column("tbs_sha256", sa.String(length=64), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("issuer", "scope", "number", name=op.f("pk_crl_list")),
    )


def downgrade() -> None:
    """Undo the upgrade; lists are signed anew there, too."""
    for name in ("crl_list", "revocation_change", "certificate_hold"):
        op.drop_table(name)
    with op.batch_alter_table("crl_publication") as batch_op:
        batch_op.add_column(sa.Column("der", sa.LargeBinary(), nullable=True))
        batch_op.drop_column("published_at")
    with op.batch_alter_table("revocation") as batch_op:
        batch_op.drop_index("ix_revocation_issuer_shard")
        batch_op.drop_column("shard")
        batch_op.create_index(batch_op.f("ix_revocation_issuer"), ["issuer"], unique=False)
