"""Evidence is kept by the store itself: no record is deleted or changed, but for a purge that was decided.

A record may become the stub of a purge that stands as decided (``core/ledger/purge.py``); its number is given once. Who
owns the store can take the triggers away; what that could hide is found by the signed log. On SQLite a migration that
makes the table anew (``batch_alter_table``) loses them, and has to make them again.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SQLITE = (
    """CREATE TRIGGER evidence_stays BEFORE DELETE ON evidence
    BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END""",
    """CREATE TRIGGER evidence_says_the_same BEFORE UPDATE OF
    identifier, at, type, actor, object, domain, result, content, leaf ON evidence
    WHEN NOT (OLD.leaf IS NULL AND NEW.leaf IS NOT NULL AND OLD.sequence IS NOT NULL AND EXISTS (
        SELECT 1 FROM evidence_purge WHERE state = 'decided' AND instr(CAST(NEW.content AS TEXT), id) = 8))
    BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END""",
    """CREATE TRIGGER evidence_is_numbered_once BEFORE UPDATE OF sequence ON evidence
    WHEN OLD.sequence IS NOT NULL AND NEW.sequence IS NOT OLD.sequence
    BEGIN SELECT RAISE(ABORT, 'evidence is numbered once'); END""",
)

_POSTGRESQL = (
    """CREATE FUNCTION evidence_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'evidence is never deleted, changed or numbered again'; END $$""",
    """CREATE FUNCTION evidence_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.leaf IS NULL AND NEW.leaf IS NOT NULL AND OLD.sequence IS NOT NULL AND EXISTS (
            SELECT 1 FROM evidence_purge
            WHERE state = 'decided' AND position(convert_to(id, 'UTF8') IN NEW.content) = 8)
        THEN RETURN NEW; END IF;
        RAISE EXCEPTION 'evidence is never changed';
    END $$""",
    """CREATE TRIGGER evidence_stays BEFORE DELETE ON evidence
    FOR EACH ROW EXECUTE FUNCTION evidence_refuse()""",
    """CREATE TRIGGER evidence_stays_whole BEFORE TRUNCATE ON evidence
    FOR EACH STATEMENT EXECUTE FUNCTION evidence_refuse()""",
    """CREATE TRIGGER evidence_says_the_same BEFORE UPDATE OF
    identifier, at, type, actor, object, domain, result, content, leaf ON evidence
    FOR EACH ROW EXECUTE FUNCTION evidence_refuse_change()""",
    """CREATE TRIGGER evidence_is_numbered_once BEFORE UPDATE OF sequence ON evidence
    FOR EACH ROW WHEN (OLD.sequence IS NOT NULL AND NEW.sequence IS DISTINCT FROM OLD.sequence)
    EXECUTE FUNCTION evidence_refuse()""",
)

_TRIGGERS = ("evidence_stays", "evidence_says_the_same", "evidence_is_numbered_once")


def upgrade() -> None:
    """Upgrade the store."""
    for statement in _SQLITE if _is_sqlite() else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Undo the upgrade."""
    suffix = "" if _is_sqlite() else " ON evidence"
    for name in _TRIGGERS if _is_sqlite() else (*_TRIGGERS, "evidence_stays_whole"):
        op.execute(f"DROP TRIGGER {name}{suffix}")
    if not _is_sqlite():
        op.execute("DROP FUNCTION evidence_refuse()")
        op.execute("DROP FUNCTION evidence_refuse_change()")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
