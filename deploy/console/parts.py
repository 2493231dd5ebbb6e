"""Wiring of the console: what its pages need beside what the interface has."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from authz.decision import PolicyDecisionPoint
from authz.foresight import PolicyForesight
from core.access import Foresight
from core.clock import Clock
from core.console.page import Entry, Navigation
from core.database import Database
from deploy.console.health import Health

MENU = Navigation(
    (
        Entry("/console/", "概览", "Overview", "self:identity:read", "o"),
        Entry("/console/request", "证书申请", "Requests", "pki:request:read", "q"),
        Entry("/console/certificate", "证书", "Certificates", "pki:certificate:read", "c"),
    )
)


def provided(
    database: Database,
    *,
    clock: Clock,
    decisions: PolicyDecisionPoint,
    periods: Mapping[str, timedelta],
    witnesses: Callable[[], Collection[str]],
) -> Mapping[type, object]:
    """Return what the pages need, by type."""
    return {
        Foresight: PolicyForesight(database=database, clock=clock, decisions=decisions),
        Health: Health(database, clock, periods, witnesses),
        Navigation: MENU,
    }
