"""What happens to notices, as evidence. Addresses and texts stay out of it."""

from collections.abc import Mapping

from core.ledger.entry import Event, JsonValue
from core.notice.models import Notice

QUEUED = "notice.message.queued"
SENT = "notice.message.sent"
FAILED = "notice.message.failed"
TESTED = "notice.channel.tested"

#: The installation itself acts here.
ACTOR = "device:trust"


def queued(notice: Notice) -> Event:
    """A message is to be sent."""
    details: dict[str, JsonValue] = {"channel": notice.channel, "post": notice.post, "count": notice.count}
    return Event(QUEUED, ACTOR, _object(notice), details=details)


def sent(notice: Notice) -> Event:
    """The other side took a message."""
    details: dict[str, JsonValue] = {"channel": notice.channel, "post": notice.post, "attempts": notice.attempts}
    return Event(SENT, ACTOR, _object(notice), details=details)


def failed(notice: Notice) -> Event:
    """A message was given up."""
    details: dict[str, JsonValue] = {"channel": notice.channel, "post": notice.post, "attempts": notice.attempts}
    return Event(FAILED, ACTOR, _object(notice), result="refused", details=details)


def tested(post: str, outcomes: Mapping[str, bool], *, actor: str) -> Event:
    """Every way out was tried on somebody's word."""
    return Event(TESTED, actor, f"post:{post}", details={"outcomes": dict(outcomes)})


def _object(notice: Notice) -> str:
    return f"notice:{notice.id}"
