"""What machines do by themselves, as evidence; names of machines and of secrets, never a secret."""

import json
from collections.abc import Mapping

from core.clock import to_rfc3339
from core.ledger.entry import LONGEST, Event, JsonValue
from pki.device.models import DeviceSecret


def actor_of(holder: str) -> str:
    """Return who acts when a machine does."""
    return f"device:{holder}"


def secret_made(row: DeviceSecret) -> Event:
    """A registration officer made a secret for a machine; the secret itself is written down nowhere."""
    details: Mapping[str, JsonValue] = {
        "holder_kind": row.holder_kind,
        "holder": row.holder,
        "hosts": json.loads(row.hosts),
        "addresses": json.loads(row.addresses),
        "ends_at": to_rfc3339(row.ends_at),
    }
    return Event("pki.device.secret-made", row.actor, f"device-secret:{row.id}", row.domain, details=details)


def secret_used(row: DeviceSecret) -> Event:
    """A machine used its secret for one request."""
    details = {"holder": row.holder, "request": row.request}
    about = f"device-secret:{row.id}"
    return Event("pki.device.secret-used", actor_of(row.holder), about, row.domain, details=details)


def secret_given_back(row: DeviceSecret) -> Event:
    """What a secret was used for was refused, so that it can be used again."""
    details = {"holder": row.holder}
    about = f"device-secret:{row.id}"
    return Event("pki.device.secret-given-back", actor_of(row.holder), about, row.domain, details=details)


def secret_withdrawn(row: DeviceSecret, *, actor: str) -> Event:
    """A secret that was not used yet opens nothing any more."""
    details = {"holder": row.holder}
    return Event("pki.device.secret-withdrawn", actor, f"device-secret:{row.id}", row.domain, details=details)


def key_made(holder: str, domain: str, serial: str) -> Event:
    """The key of a certificate was made here and handed out with it; it is kept nowhere."""
    return Event("pki.device.key-made", actor_of(holder), f"certificate:{serial}", domain, details={"serial": serial})


def refused(protocol: str, asked: str, reason: str, detail: str, *, holder: str, domain: str) -> Event:
    """A machine's request was refused; nothing was changed by it."""
    details = {"protocol": protocol, "asked": asked[:200], "reason": reason, "detail": detail[:500]}
    who = actor_of(holder) if holder else "anonymous"
    about = f"device:{holder or 'unknown'}"[: LONGEST["object"]]
    return Event("pki.device.request-refused", who, about, domain, result="refused", details=details)
