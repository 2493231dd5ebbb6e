"""What happens to duties, as evidence: wire names never change, details suffice to rebuild a duty's row."""

from collections.abc import Mapping

from core.clock import to_rfc3339
from core.duty.models import Duty
from core.ledger.entry import Event, JsonValue

RAISED = "duty.duty.raised"
REMINDED = "duty.duty.reminded"
ESCALATED = "duty.duty.escalated"
ACKNOWLEDGED = "duty.duty.acknowledged"
SETTLED = "duty.duty.settled"
REFUSED = "duty.act.refused"


def raised(duty: Duty, actor: str) -> Event:
    """A duty was raised."""
    return Event(RAISED, actor, object_of(duty.id), duty.domain, details={**_told(duty), "post": duty.post})


def reminded(duty: Duty, actor: str) -> Event:
    """A duty that still waits became more pressing, or another's: an acknowledgement of before counts no longer."""
    return Event(REMINDED, actor, object_of(duty.id), duty.domain, details={**_told(duty), "post": duty.post})


def escalated(duty: Duty, actor: str) -> Event:
    """A deadline passed: another post answers as well."""
    details: dict[str, JsonValue] = {"post": duty.escalated_post, "from": duty.post}
    return Event(ESCALATED, actor, object_of(duty.id), duty.domain, details=details)


def acknowledged(duty: Duty, actor: str, proof: Mapping[str, JsonValue]) -> Event:
    """A person has taken the duty up; ``proof`` says what binds the act to the person."""
    details: dict[str, JsonValue] = {"about": duty.object, **proof}
    return Event(ACKNOWLEDGED, actor, object_of(duty.id), duty.domain, details=details)


def settled(duty: Duty, actor: str, proof: Mapping[str, JsonValue]) -> Event:
    """There is nothing left to do; ``proof`` is empty when the fact itself is gone."""
    details: dict[str, JsonValue] = {"about": duty.object, **proof}
    return Event(SETTLED, actor, object_of(duty.id), duty.domain, details=details)


def refused(identifier: str, actor: str, reason: str) -> Event:
    """Somebody tried to act on a duty that is not theirs."""
    return Event(REFUSED, actor, object_of(identifier), result="refused", details={"reason": reason})


def object_of(identifier: str) -> str:
    """Return how evidence names a duty."""
    return f"duty:{identifier}"


def _told(duty: Duty) -> dict[str, JsonValue]:
    return {
        "kind": duty.kind,
        "about": duty.object,
        "title": duty.title,
        "stage": duty.stage,
        "due": to_rfc3339(duty.due) if duty.due else "",
    }
