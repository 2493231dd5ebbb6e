"""What a take-over leaves in the evidence. A restore rebuilds from here what was carried out, not what still waited."""

import base64
import json
from datetime import datetime

from core.clock import to_rfc3339
from core.ledger.entry import Event, JsonValue
from core.registry.credential import Credential
from pki.models import Authority, AuthorityPlan
from pki.takeover.models import Takeover, TakeoverPlan


def staged(row: TakeoverPlan) -> Event:
    """Parts of a plan came in; nothing of it counts before two people agreed."""
    details: dict[str, JsonValue] = {"plan": row.digest, "total": row.total}
    return Event("pki.takeover.staged", row.actor, f"authority:{row.authority}", details=details)


def agreed(row: TakeoverPlan, proposer: str) -> Event:
    """Two people agreed on exactly this plan."""
    details: dict[str, JsonValue] = {"plan": row.digest, "total": row.total, "proposer": proposer, "basis": row.basis}
    return Event("pki.takeover.agreed", row.approver, f"authority:{row.authority}", details=details)


def begun(made: Authority, planned: AuthorityPlan, of: Takeover, floor: int, plan: str) -> Event:
    """An authority is ours: its certificate, the label of its key in the token, the number its lists go on from."""
    details: dict[str, JsonValue] = {
        "plan": plan,
        "key": made.key,
        "serial": made.serial,
        "issuer": made.issuer,
        "certificate": base64.b64encode(made.der).decode("ascii"),
        "number": of.number,
        "floor": floor,
        "place": planned.number,
        "path_length": planned.path_length,
        "domains": planned.domains,
        "space": planned.space,
        "proposer": planned.proposer,
        "basis": planned.basis,
    }
    return Event("pki.takeover.begun", planned.approver, f"authority:{made.name}", details=details)


def moved(of: Takeover, floor: int, plan: str, *, actor: str) -> Event:
    """The old authority published meanwhile: our numbers jumped over what it may use next."""
    details: dict[str, JsonValue] = {"plan": plan, "number": of.number, "floor": floor}
    return Event("pki.takeover.moved", actor, f"authority:{of.authority}", details=details)


def entered(one: Credential, der: bytes, plan: str, *, actor: str) -> Event:
    """A certificate that the old authority issued is known here, and whose it is."""
    details: dict[str, JsonValue] = {
        "plan": plan,
        "serial": one.serial,
        "issuer": one.issuer,
        "holder_kind": one.holder_kind,
        "holder": one.holder,
        "domain": one.domain,
        "profile": one.profile,
        "not_before": to_rfc3339(one.not_before),
        "not_after": to_rfc3339(one.not_after),
        "certificate_sha256": one.certificate_sha256,
        "spki_sha256": one.spki_sha256,
        "certificate": base64.b64encode(der).decode("ascii"),
    }
    return Event("pki.takeover.entered", actor, f"certificate:{one.serial}", one.domain, details=details)


def revoked(serial: str, issuer: str, since: datetime, reason: str, plan: str, *, actor: str) -> Event:
    """A serial number that the old authority revoked is on our lists, since when and for what it was revoked there."""
    details: dict[str, JsonValue] = {"plan": plan, "serial": serial, "issuer": issuer, "reason": reason}
    details["since"] = to_rfc3339(since)
    return Event("pki.takeover.revoked", actor, f"certificate:{serial}", details=details)


def held(of: Credential, since: datetime, until: datetime, plan: str, *, actor: str) -> Event:
    """A certificate that the old authority put on hold is on hold here, until a day."""
    details: dict[str, JsonValue] = {"plan": plan, "serial": of.serial, "issuer": of.issuer}
    details |= {"since": to_rfc3339(since), "until": to_rfc3339(until)}
    return Event("pki.takeover.held", actor, f"certificate:{of.serial}", of.domain, details=details)


def concluded(row: TakeoverPlan) -> Event:
    """Everything of a plan was done, as far as it could be."""
    counts = {name: getattr(row, name) for name in ("total", "entered", "listed", "changed", "left")}
    details: dict[str, JsonValue] = {"plan": row.digest, **counts}
    return Event("pki.takeover.concluded", row.approver, f"authority:{row.authority}", details=details)


def finished(of: Takeover, proposer: str, basis: str, *, actor: str) -> Event:
    """The time of parallel running is over: nothing of the old authority is asked any more."""
    details: dict[str, JsonValue] = {"number": of.number, "proposer": proposer, "basis": basis}
    return Event("pki.takeover.finished", actor, f"authority:{of.authority}", details=details)


def domains_of(row: Takeover) -> list[str]:
    """Return the domains that an authority which was taken over issues for."""
    return [str(one) for one in json.loads(row.domains)]
