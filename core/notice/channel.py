"""A way out of the building, and what its files must hold."""

import ssl
from pathlib import Path
from typing import Protocol

from core.deadline import Deadline
from core.notice.errors import DeliveryFailed
from core.notice.message import Message

#: Seconds that a relay may take for each step, and for one message in all.
PATIENCE, WHOLE = 15.0, 40.0


class Channel(Protocol):
    """One way out; ``name`` is ``mail``, ``webhook`` or ``syslog``. ``personal``: it needs the holder's address."""

    @property
    def name(self) -> str:
        """The word for it."""
        ...

    @property
    def personal(self) -> bool:
        """Whether a message needs an address."""
        ...

    def send(self, message: Message) -> str:
        """Deliver, and return what the other side answered. Raises ``DeliveryFailed``."""
        ...


def deadline(whole: float) -> Deadline:
    """Return the time that one message has."""
    return Deadline(whole, silence=PATIENCE)


def secret(path: Path) -> bytes:
    """Return what a secret's file holds, without the end of its line; read at each use, so that it can be changed."""
    try:
        found = path.read_bytes().strip()
    except OSError as error:
        raise DeliveryFailed(f"`{path}` cannot be read: {error.strerror}") from error
    if not found:
        raise DeliveryFailed(f"`{path}` is empty")
    return found


def context(trusted: Path | None) -> ssl.SSLContext:
    """Return a context that verifies names, against the machine's roots or those in ``trusted`` (PEM)."""
    try:
        made = ssl.create_default_context(cafile=None if trusted is None else str(trusted))
    except OSError as error:
        raise DeliveryFailed(f"`{trusted}` holds no root certificate that can be used: {error}") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made
