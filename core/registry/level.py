"""Classification as an order, and the markings that name it (mission 2.7)."""

from enum import IntEnum


class Classification(IntEnum):
    """How secret something is. A domain's *ceiling* is the highest that may be in it."""

    PUBLIC = 0
    INTERNAL = 1
    SECRET = 2
    CONFIDENTIAL = 3
    TOP_SECRET = 4

    @property
    def marking(self) -> str:
        """The Chinese word that a document carries; empty for what carries none."""
        return {0: "", 1: "内部", 2: "秘密", 3: "机密", 4: "绝密"}[int(self)]
