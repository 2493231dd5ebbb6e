"""Where a proposal stands. Pure."""

from enum import StrEnum


class State(StrEnum):
    """Where a proposal stands. Only ``waiting`` and ``returned`` can still change."""

    WAITING = "waiting"
    RETURNED = "returned"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
