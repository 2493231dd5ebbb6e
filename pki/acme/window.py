"""When a certificate is to be renewed, and how it is named in that question (RFC 9773, 4.1 and 4.2). Pure."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.identity import Serial
from pki.acme import encoding
from pki.acme.errors import BadRequest, NotHere

#: How long a client waits before it asks again, in seconds: an incident reaches it within that time.
ASK_AGAIN = 6 * 3600


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when; ``explanation`` is the address of a page that says why."""

    start: datetime
    end: datetime
    explanation: str = ""


def usual(not_before: datetime, not_after: datetime) -> Window:
    """Return the window after two thirds of a life, as long as a twentieth of it: so not all come at once."""
    life = not_after - not_before
    start = not_before + life * 2 / 3
    return Window(start.replace(microsecond=0), (start + max(life / 20, timedelta(seconds=1))).replace(microsecond=0))


def at_once(since: datetime) -> Window:
    """Return a window that has passed: what is revoked is renewed without waiting."""
    end = since.replace(microsecond=0)
    return Window(end - timedelta(hours=1), end)


def name_of(key_identifier: bytes, serial: str) -> str:
    """Return how a certificate is named: its authority's key identifier and its serial number (RFC 9773, 4.1)."""
    return f"{encoding.encode(key_identifier)}.{encoding.encode(bytes.fromhex(serial))}"


def parse_name(text: str, key_identifiers: Container[bytes]) -> Serial:
    """Return the serial number in a name. Raises ``BadRequest``, ``NotHere`` when it is of none of our authorities."""
    first, dot, second = text.partition(".")
    if not dot:
        raise BadRequest("a certificate is named by its authority's key identifier, a dot, and its serial number")
    authority, serial = encoding.decode(first, "key identifier"), encoding.decode(second, "serial number")
    if authority not in key_identifiers:
        raise NotHere("the certificate is of another authority")
    # Content octets of the INTEGER: ours are twenty, the first from 01 to 7f.
    return Serial(serial.hex())
