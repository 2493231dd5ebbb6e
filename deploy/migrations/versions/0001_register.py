"""The register: organisations, domains, people, systems, roles, credentials."""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade the store."""
    op.create_table(
        "credential",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=80), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("certificate_sha256", sa.String(length=64), nullable=False),
        sa.Column("spki_sha256", sa.String(length=64), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("revocation_reason", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_credential")),
        sa.UniqueConstraint("certificate_sha256", name=op.f("uq_credential_certificate_sha256")),
    )
    with op.batch_alter_table("credential", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_credential_holder"), ["holder"], unique=False)
        batch_op.create_index(batch_op.f("ix_credential_holder_kind"), ["holder_kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_credential_spki_sha256"), ["spki_sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_credential_state"), ["state"], unique=False)

    op.create_table(
        "organisation",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["parent"], ["organisation.id"], name=op.f("fk_organisation_parent_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_table(
        "post",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["organisation"], ["organisation.id"], name=op.f("fk_post_organisation_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post")),
    )
    op.create_table(
        "security_domain",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("network", sa.String(length=20), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("ceiling", sa.Integer(), nullable=False),
        sa.Column("name_space", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("in_charge_post", sa.String(), nullable=False),
        sa.Column("operating_post", sa.String(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["in_charge_post"], ["post.id"], name=op.f("fk_security_domain_in_charge_post_post")),
        sa.ForeignKeyConstraint(["operating_post"], ["post.id"], name=op.f("fk_security_domain_operating_post_post")),
        sa.ForeignKeyConstraint(
            ["organisation"], ["organisation.id"], name=op.f("fk_security_domain_organisation_organisation")
        ),
        sa.ForeignKeyConstraint(
            ["parent"], ["security_domain.id"], name=op.f("fk_security_domain_parent_security_domain")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_domain")),
        sa.UniqueConstraint("name_space", name=op.f("uq_security_domain_name_space")),
    )
    op.create_table(
        "address_range",
        sa.Column("cidr", sa.String(length=50), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain"], ["security_domain.id"], name=op.f("fk_address_range_domain_security_domain")
        ),
        sa.PrimaryKeyConstraint("cidr", name=op.f("pk_address_range")),
    )
    with op.batch_alter_table("address_range", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_range_domain"), ["domain"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("clearance", sa.Integer(), nullable=False),
        sa.Column("contact", sa.String(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["domain"], ["security_domain.id"], name=op.f("fk_person_domain_security_domain")),
        sa.ForeignKeyConstraint(
            ["organisation"], ["organisation.id"], name=op.f("fk_person_organisation_organisation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_organisation"), ["organisation"], unique=False)

    op.create_table(
        "system",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("in_charge_post", sa.String(), nullable=False),
        sa.Column("operating_post", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["domain"], ["security_domain.id"], name=op.f("fk_system_domain_security_domain")),
        sa.ForeignKeyConstraint(["in_charge_post"], ["post.id"], name=op.f("fk_system_in_charge_post_post")),
        sa.ForeignKeyConstraint(["operating_post"], ["post.id"], name=op.f("fk_system_operating_post_post")),
        sa.ForeignKeyConstraint(
            ["organisation"], ["organisation.id"], name=op.f("fk_system_organisation_organisation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system")),
    )
    with op.batch_alter_table("system", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_system_domain"), ["domain"], unique=False)

    op.create_table(
        "device",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["system"], ["system.id"], name=op.f("fk_device_system_system")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    op.create_table(
        "domain_membership",
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain"], ["security_domain.id"], name=op.f("fk_domain_membership_domain_security_domain")
        ),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_domain_membership_person_person")),
        sa.PrimaryKeyConstraint("person", "domain", name=op.f("pk_domain_membership")),
    )
    op.create_table(
        "post_holding",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("basis", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_post_holding_person_person")),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name=op.f("fk_post_holding_post_post")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_post_holding")),
    )
    with op.batch_alter_table("post_holding", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_post_holding_person"), ["person"], unique=False)
        batch_op.create_index(batch_op.f("ix_post_holding_post"), ["post"], unique=False)

    op.create_table(
        "role_assignment",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("domain", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=80), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("giver", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_role_assignment_person_person")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_role_assignment")),
    )
    with op.batch_alter_table("role_assignment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_role_assignment_domain"), ["domain"], unique=False)
        batch_op.create_index(batch_op.f("ix_role_assignment_person"), ["person"], unique=False)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("role_assignment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_role_assignment_person"))
        batch_op.drop_index(batch_op.f("ix_role_assignment_domain"))

    op.drop_table("role_assignment")
    with op.batch_alter_table("post_holding", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_post_holding_post"))
        batch_op.drop_index(batch_op.f("ix_post_holding_person"))

    op.drop_table("post_holding")
    op.drop_table("domain_membership")
    op.drop_table("device")
    with op.batch_alter_table("system", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_system_domain"))

    op.drop_table("system")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_organisation"))

    op.drop_table("person")
    with op.batch_alter_table("address_range", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_address_range_domain"))

    op.drop_table("address_range")
    op.drop_table("security_domain")
    op.drop_table("post")
    op.drop_table("organisation")
    with op.batch_alter_table("credential", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credential_state"))
        batch_op.drop_index(batch_op.f("ix_credential_spki_sha256"))
        batch_op.drop_index(batch_op.f("ix_credential_holder_kind"))
        batch_op.drop_index(batch_op.f("ix_credential_holder"))

    op.drop_table("credential")
