"""Reads lines of EVE, Suricata's JSON log: only the fields that are used, unknown ones are skipped.

Pure. What is in a line was chosen by whoever sent the traffic: every field is bounded and nothing is trusted.
"""

import base64
import binascii
from datetime import datetime
from typing import Annotated

import msgspec

from monitor.errors import BadEve

#: A longer line is not decoded: bodies are at most some hundred kilobytes in an alert.
LONGEST_LINE = 64 * 1024 * 1024


#: Identifiers fit into a signed 64-bit column; ports are ports.
Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Port = Annotated[int, msgspec.Meta(ge=0, lt=2**16)]


class Rule(msgspec.Struct, frozen=True):
    """``alert``: the rule that matched; ``metadata`` maps a word to its values."""

    signature_id: Number
    signature: str = ""
    metadata: dict[str, list[str]] = {}


class Header(msgspec.Struct, frozen=True):
    """One HTTP header as it was on the wire."""

    name: str = ""
    value: str = ""


class Http(msgspec.Struct, frozen=True):
    """``http``: names, headers (only in HTTP records) and bodies in base64 (only in alerts)."""

    hostname: str = ""
    url: str = ""
    request_headers: list[Header] = []
    http_request_body: str = ""
    http_response_body: str = ""


class Record(msgspec.Struct, frozen=True):
    """One line of EVE. ``flow_id`` and ``tx_id`` together name one HTTP transaction within one run of Suricata."""

    event_type: str
    timestamp: str = ""
    flow_id: Number = 0
    tx_id: Number | None = None
    src_ip: str = ""
    src_port: Port = 0
    dest_ip: str = ""
    dest_port: Port = 0
    direction: str = ""
    alert: Rule | None = None
    http: Http | None = None


_DECODER = msgspec.json.Decoder(Record)


def parse_record(line: bytes) -> Record:
    """Return the record in ``line``. Raises ``BadEve`` for anything that is not one."""
    if len(line) > LONGEST_LINE:
        raise BadEve(f"a line of {len(line)} octets is longer than {LONGEST_LINE}", reason="too-long")
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEve(f"a line of EVE cannot be read: {error}") from error


def parse_time(text: str) -> datetime:
    """Return the moment of a record's ``timestamp``. Raises ``BadEve``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadEve(f"`{text[:40]}` is no time") from error
    if moment.tzinfo is None:
        raise BadEve(f"`{text[:40]}` has no offset from UTC")
    return moment


def parse_body(text: str) -> bytes:
    """Return a body that stands in base64; what cannot be read is empty."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
