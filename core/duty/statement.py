"""What a person signs when they take a duty up, or say that it is done. Pure; both sides compute it alike."""

from core import signed

#: The acts as they stand in a signed text.
ACKNOWLEDGE = "duty.acknowledge"
CONCLUDE = "duty.conclude"


def digest(*, kind: str, about: str, title: str, stage: str, note: str) -> str:
    """Return the digest (64 hexadecimal digits) of what was read: whoever signs it has seen exactly this."""
    return signed.digest({"kind": kind, "about": about, "title": title, "stage": stage, "note": note})
