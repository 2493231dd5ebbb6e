"""Errors of notices."""

from core.errors import NotFound, Unavailable


class DeliveryFailed(Unavailable):
    """A message was not taken. ``for_good``: trying again would change nothing."""

    reason = "delivery-failed"

    def __init__(self, detail: str, *, for_good: bool = False) -> None:
        """Keep whether trying again may help."""
        super().__init__(detail)
        self.for_good = for_good


class NoChannel(NotFound):
    """No way out is configured."""

    reason = "no-channel"
