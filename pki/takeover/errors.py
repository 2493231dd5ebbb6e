"""Errors of a take-over."""

from core.errors import Conflict, Malformed, NotFound, Rejected


class UnreadableTable(Malformed):
    """What the old authority left cannot be read; each fault is named with its line."""

    reason = "unreadable-table"


class UnfitAuthority(Rejected):
    """The old authority cannot be taken over: its key, its certificate or its list is not what can be used here."""

    reason = "unfit-authority"


class UnknownTakeover(NotFound):
    """There is no such plan, or no such authority was taken over."""

    reason = "unknown-takeover"


class StalePlan(Conflict):
    """What would come over is no longer what the plan showed."""

    reason = "stale-plan"


class BlockedPlan(Conflict):
    """Something that must be on the lists cannot be there."""

    reason = "blocked-plan"


class TakeoverOver(Conflict):
    """The time of parallel running is over."""

    reason = "takeover-over"
