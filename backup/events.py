"""What happens to recovery points, as evidence: wire names never change, details suffice to rebuild a point's row."""

from collections.abc import Mapping

from backup.models import RecoveryPoint
from core.ledger.entry import Event, JsonValue

POINT_BEGUN = "backup.point.begun"
POINT_SEALED = "backup.point.sealed"
POINT_FAILED = "backup.point.failed"
RECONCILED = "backup.restore.reconciled"


def begun(point: RecoveryPoint) -> Event:
    """A recovery point was begun; nothing is written yet."""
    return Event(POINT_BEGUN, point.actor, object_of(point.id))


def sealed(point: RecoveryPoint) -> Event:
    """A recovery point was written and read back; whoever restores holds its file against this record."""
    details: dict[str, JsonValue] = {
        "sha256": point.sha256,
        "size": point.size,
        "ledger_size": point.ledger_size,
        "ledger_root": point.ledger_root,
    }
    return Event(POINT_SEALED, point.actor, object_of(point.id), details=details)


def failed(point: RecoveryPoint) -> Event:
    """A recovery point could not be made."""
    return Event(POINT_FAILED, point.actor, object_of(point.id), result="refused", details={"cause": point.cause})


def reconciled(point: str, details: Mapping[str, JsonValue]) -> Event:
    """A restored store was brought forward to the mirrored evidence."""
    return Event(RECONCILED, "recovery", object_of(point), details=details)


def object_of(identifier: str) -> str:
    """Return how evidence names a point."""
    return f"point:{identifier}"
