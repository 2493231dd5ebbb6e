"""The register's history; grading; applications, data elements, agreements.

What is in the register already gets its first version, from the time when the evidence says that it was entered.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ENDING = ("organisation", "post", "security_domain", "system", "device")


def upgrade() -> None:
    """Upgrade the store."""
    _make_versions()
    _make_present()
    for name in _ENDING:
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.add_column(sa.Column("ended_at", UtcDateTime(), nullable=True))
    with op.batch_alter_table("system", schema=None) as batch_op:
        for name in ("level", "information_level", "service_level"):
            batch_op.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("post_holding", schema=None) as batch_op:
        for name, length in (("actor", 120), ("record", 32)):
            batch_op.add_column(sa.Column(name, sa.String(length=length), nullable=False, server_default=""))
    _enter_first_versions(op.get_bind())


def _make_versions() -> None:
    op.create_table(
        "register_version",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("identifier", sa.String(length=80), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_register_version")),
    )
    with op.batch_alter_table("register_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_register_version_identifier"), ["identifier"], unique=False)


def _make_present() -> None:
    op.create_table(
        "application",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=True),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("fk_application_device_device")),
        sa.ForeignKeyConstraint(["system"], ["system.id"], name=op.f("fk_application_system_system")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
    )
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_application_system"), ["system"], unique=False)
    op.create_table(
        "data_element",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("classification", sa.Integer(), nullable=False),
        sa.Column("sharing", sa.String(length=20), nullable=False),
        sa.Column("update", sa.String(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["source"], ["organisation.id"], name=op.f("fk_data_element_source_organisation")),
        sa.ForeignKeyConstraint(["system"], ["system.id"], name=op.f("fk_data_element_system_system")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_element")),
    )
    with op.batch_alter_table("data_element", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_data_element_source"), ["source"], unique=False)
    _make_agreements()


def _make_agreements() -> None:
    op.create_table(
        "agreement",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("giver", sa.String(), nullable=False),
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("in_charge_post", sa.String(), nullable=False),
        sa.Column("operating_post", sa.String(), nullable=False),
        sa.Column("received_by_post", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["giver"], ["organisation.id"], name=op.f("fk_agreement_giver_organisation")),
        sa.ForeignKeyConstraint(["receiver"], ["organisation.id"], name=op.f("fk_agreement_receiver_organisation")),
        sa.ForeignKeyConstraint(["in_charge_post"], ["post.id"], name=op.f("fk_agreement_in_charge_post_post")),
        sa.ForeignKeyConstraint(["operating_post"], ["post.id"], name=op.f("fk_agreement_operating_post_post")),
        sa.ForeignKeyConstraint(["received_by_post"], ["post.id"], name=op.f("fk_agreement_received_by_post_post")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
    )
    with op.batch_alter_table("agreement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agreement_giver"), ["giver"], unique=False)
        batch_op.create_index(batch_op.f("ix_agreement_receiver"), ["receiver"], unique=False)
    op.create_table(
        "agreement_signature",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("side", sa.String(length=10), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("record", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement"], ["agreement.id"], name=op.f("fk_agreement_signature_agreement_agreement")
        ),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_agreement_signature_person_person")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_agreement_signature")),
    )
    with op.batch_alter_table("agreement_signature", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agreement_signature_agreement"), ["agreement"], unique=False)


#: The words of what was in the register before: (kind, columns of the query as the fields of an entry).
_HELD = {
    "organisation": "SELECT id, name, tier, parent FROM organisation",
    "post": "SELECT id, title, organisation FROM post",
    "domain": "SELECT id, name, network, level, ceiling, name_space, organisation, parent, "
    "in_charge_post AS in_charge, operating_post AS operating FROM security_domain",
    "person": "SELECT id, name, organisation, domain, clearance, contact FROM person",
    "system": "SELECT id, name, domain, organisation, in_charge_post AS in_charge, operating_post AS operating, "
    "0 AS level FROM system",
    "device": "SELECT id, kind, name, system FROM device",
}


def _enter_first_versions(connection: sa.Connection) -> None:
    table = sa.table(
        "register_version",
        *(sa.column(name) for name in ("kind", "identifier", "content", "digest", "salt", "actor", "record")),
        sa.column("since", UtcDateTime()),
    )
    rows = [row for kind, query in _HELD.items() for row in _first_versions(connection, kind, query)]
    if rows:
        connection.execute(sa.insert(table), rows)


def _first_versions(connection: sa.Connection, kind: str, query: str) -> Iterator[Mapping[str, object]]:
    for held in connection.execute(sa.text(query)).mappings().all():
        said = {**held, **_hanging(connection, kind, held["id"])}
        text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        salt = secrets.token_hex(16) if kind == "person" else ""
        yield {
            "kind": kind,
            "identifier": held["id"],
            "since": _entered(connection, kind, held["id"]),
            "content": text,
            "digest": hashlib.sha256(bytes.fromhex(salt) + text.encode("utf-8")).hexdigest(),
            "salt": salt,
            "actor": "migration",
            "record": "",
        }


def _hanging(connection: sa.Connection, kind: str, identifier: str) -> Mapping[str, object]:
    queries = {
        "domain": ("addresses", "SELECT cidr FROM address_range WHERE domain = :id"),
        "person": ("member_of", "SELECT domain FROM domain_membership WHERE person = :id"),
    }
    if kind == "system":
        return {"information": [], "service": []}
    if kind not in queries:
        return {}
    name, query = queries[kind]
    return {name: sorted(connection.execute(sa.text(query), {"id": identifier}).scalars())}


def _entered(connection: sa.Connection, kind: str, identifier: str) -> datetime:
    names = ("object", "type", "sequence")
    evidence = sa.table("evidence", sa.column("at", UtcDateTime()), *(sa.column(name) for name in names))
    first = sa.select(sa.func.min(evidence.c.at)).where(
        evidence.c.object == f"{kind}:{identifier}", evidence.c.type == f"registry.{kind}.entered"
    )
    # The index by object covers numbered records alone; those that wait are few, and found by having no number.
    numbered, waiting = evidence.c.sequence.is_not(None), evidence.c.sequence.is_(None)
    found = connection.execute(first.where(numbered)).scalar() or connection.execute(first.where(waiting)).scalar()
    # Nobody knows since when: it was always so.
    return found if isinstance(found, datetime) else datetime(2000, 1, 1, tzinfo=UTC)


def downgrade() -> None:
    """Undo the upgrade."""
    with op.batch_alter_table("post_holding", schema=None) as batch_op:
        for name in ("record", "actor"):
            batch_op.drop_column(name)
    with op.batch_alter_table("system", schema=None) as batch_op:
        for name in ("service_level", "information_level", "level"):
            batch_op.drop_column(name)
    for name in reversed(_ENDING):
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.drop_column("ended_at")
    for name in ("agreement_signature", "agreement", "data_element", "application", "register_version"):
        op.drop_table(name)
