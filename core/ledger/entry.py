"""One record of evidence as bytes: canonical JSON (RFC 8785), at most 65,535 octets (C2SP tlog-tiles, entry bundles).

Pure: a function of values. Personal or classified content does not belong into ``details``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import rfc8785

from core.clock import to_rfc3339
from core.errors import Malformed

#: A JSON value without fractions: canonical on every machine.
JsonValue = str | int | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

MAXIMUM_OCTETS = 65_535


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, in the past tense: ``type`` is a wire name such as ``pki.certificate.revoked``, never renamed.

    ``actor`` is who did it (a person's id, or ``device:NAME``, or ``anonymous``), ``object`` what it was done to
    (``certificate:SERIAL``, ``person:ID``), ``domain`` the security domain concerned, ``result`` is ``done`` or
    ``refused``.
    """

    type: str
    actor: str
    object: str
    domain: str = ""
    result: str = "done"
    details: Mapping[str, JsonValue] = field(default_factory=dict)


def encode(event: Event, *, identifier: str, at: datetime) -> bytes:
    """Return the canonical bytes of ``event``. Raises ``Malformed`` when they would not fit into an entry bundle."""
    content = rfc8785.dumps(
        {
            "v": 1,
            "id": identifier,
            "at": to_rfc3339(at),
            "type": event.type,
            "actor": event.actor,
            "object": event.object,
            "domain": event.domain,
            "result": event.result,
            "details": _plain(event.details),
        }
    )
    if len(content) > MAXIMUM_OCTETS:
        raise Malformed(f"a record of {len(content)} octets is larger than the {MAXIMUM_OCTETS} that evidence can hold")
    return content


def _plain(value: JsonValue) -> "rfc8785._impl._Value":
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
