"""A message as values, and text that cannot break out of where it is put. Pure."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

#: Stands for a character that has no business in a line of text.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

#: Controls, formats (bidirectional overrides among them), surrogates, unassigned, line and paragraph separators.
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


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


def clean(text: str, most: int) -> str:
    """Return ``text`` as one line of at most ``most`` characters without controls; what was cut ends in an ellipsis."""
    plain = "".join(_REPLACEMENT if unicodedata.category(one) in _FORBIDDEN else one for one in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def clip(text: str, most: int) -> bytes:
    """Return at most ``most`` octets of ``text`` in UTF-8, never half a character."""
    return text.encode()[:most].decode(errors="ignore").encode()
