"""A message as values. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One notice. ``id`` tells one that was sent twice; ``address`` is whom a mail goes to; texts are single lines.

    ``lines`` are the duties, at most as many as a digest tells; ``count`` how many there are.
    """

    id: str
    post: str
    subject: str
    lines: tuple[str, ...]
    count: int
    urgent: bool
    at: datetime
    address: str = ""

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n".join(self.lines) + "\n"


def clip(text: str, most: int) -> bytes:
    """Return at most ``most`` octets of ``text`` in UTF-8, never half a character."""
    return text.encode()[:most].decode(errors="ignore").encode()
