"""A message in the syslog protocol (RFC 5424), and its framing on a stream (RFC 6587, 3.4.1; RFC 5425, 4.3). Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from core.notice.message import clip

#: Facility 13, log audit (RFC 5424, 6.2.1).
_FACILITY = 13
_WARNING, _NOTICE = 4, 5

#: What every receiver takes over TCP and TLS, and over UDP without fragments (RFC 5425, 4.3.1; RFC 5426, 3.2).
LARGEST_STREAM, LARGEST_DATAGRAM = 8192, 1180

_BOM = b"\xef\xbb\xbf"
_PRINTABLE = re.compile(r"[^\x21-\x7e]")


def encode(
    text: str, *, at: datetime, host: str, message_id: str, data: Mapping[str, str], urgent: bool, largest: int
) -> bytes:
    """Return one message of at most ``largest`` octets; the text is cut, the structured data never is."""
    priority = _FACILITY * 8 + (_WARNING if urgent else _NOTICE)
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{priority}>1 {moment} {_name(host, 255)} guosuo - {_name(message_id, 32)} {_element(data)} "
    started = head.encode() + _BOM
    return started + clip(text, max(largest - len(started), 0))


def frame(message: bytes) -> bytes:
    """Return ``message`` with its length before it: octet counting."""
    return str(len(message)).encode("ascii") + b" " + message


def escape(value: str) -> str:
    """Return a PARAM-VALUE: quotation mark, backslash and closing bracket escaped (RFC 5424, 6.3.3)."""
    return re.sub(r'(["\\\]])', r"\\\1", value)


def _element(data: Mapping[str, str]) -> str:
    # The enterprise number that is reserved for examples (RFC 5612): the product has none of its own.
    parameters = "".join(f' {_name(name, 32)}="{escape(value)}"' for name, value in data.items())
    return f"[guosuo@32473{parameters}]"


def _name(text: str, most: int) -> str:
    """Return PRINTUSASCII of at most ``most`` characters, or the nil value."""
    return _PRINTABLE.sub("", text).replace("=", "").replace("]", "").replace('"', "")[:most] or "-"
