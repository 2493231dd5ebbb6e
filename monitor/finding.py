"""From a sensor's word to a finding of the centre: checked again, attributed, recorded in the same transaction.

Entering is idempotent: a sighting that is reported again changes nothing, one with a higher revision only adds what was
not known. What a sensor says about ceilings is not believed; the register is asked.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, select

from core.clock import to_rfc3339
from core.ledger import evidence
from core.ledger.entry import Event, JsonValue
from core.registry.level import Classification
from core.registry.models import SecurityDomain
from monitor import attribution, markings, routing
from monitor.attribution import Attribution, State, Suspect
from monitor.errors import NoSuchAlert
from monitor.events import MonitorEvent
from monitor.models import Finding
from monitor.sighting import Leak


class Outcome(StrEnum):
    """What became of a reported sighting."""

    ENTERED = "entered"
    AMENDED = "amended"
    KNOWN = "known"
    UNKNOWN_DOMAIN = "unknown-domain"
    NOT_ABOVE_CEILING = "not-above-ceiling"
    NO_MARKING = "no-marking"


def enter(session: Session, leak: Leak, *, now: datetime) -> Outcome:
    """Enter ``leak``, or say why not. The caller holds the sensor's row, so the same leak is not entered twice."""
    known = session.exec(select(Finding).where(Finding.sighting == leak.id)).first()
    if known is not None:
        return _amend(session, known, leak, now=now)
    domain = session.get(SecurityDomain, leak.domain)
    if domain is None:
        return Outcome.UNKNOWN_DOMAIN
    marking = markings.highest([one for one in markings.find_markings(leak.marking) if one.strong])
    if marking is None:
        return Outcome.NO_MARKING
    if marking.level <= domain.ceiling:
        return Outcome.NOT_ABOVE_CEILING
    finding = _finding(leak, marking, domain.ceiling, now)
    _apply(finding, leak, attribution.attribute(session, leak))
    session.add(finding)
    session.flush()
    evidence.append(session, _event(MonitorEvent.LEAK_FOUND, finding, leak), at=now, body=_seen(finding))
    routing.tell_alert(session, finding, domain.operating_post, now=now)
    return Outcome.ENTERED


def get(session: Session, identifier: str) -> Finding:
    """Return a finding; raises ``NoSuchAlert``."""
    finding = session.get(Finding, identifier)
    if finding is None:
        raise NoSuchAlert(f"there is no alert `{identifier}`", hint="see `guosuo alert list`")
    return finding


def summary(finding: Finding) -> str:
    """Return one line for people: what, which ceiling, which request and certificate, who, and who answers for it."""
    ceiling = Classification(finding.ceiling)
    parts = [f"leak {finding.marking} above ceiling {ceiling.marking or '公开'} of {finding.domain}"]
    if finding.request_id:
        parts.append(f"request {finding.request_id}")
    if finding.serial:
        parts.append(f"certificate {finding.serial}")
    parts.append(_who(finding))
    parts.append(f"主管 {finding.in_charge_name or 'nobody'}")
    parts.append(f"运行 {finding.operating_name or 'nobody'}")
    return " · ".join(parts)


def _who(finding: Finding) -> str:
    if finding.state == State.NAMED:
        return f"{finding.person_name or finding.person} ({finding.organisation_name or 'not in the register'})"
    if finding.state == State.CANDIDATES:
        names = dict.fromkeys(one["name"] or one["person"] for one in json.loads(finding.candidates))
        return f"one of {len(names)}: {', '.join(list(names)[:5])} ({finding.explanation})"
    return f"nobody known ({finding.explanation})"


def _amend(session: Session, finding: Finding, leak: Leak, *, now: datetime) -> Outcome:
    """Add the request of a leak that was told without."""
    if leak.revision <= finding.revision or finding.state == State.NAMED:
        return Outcome.KNOWN
    finding.revision = leak.revision
    finding.hits, finding.last = max(finding.hits, leak.hits), max(finding.last, leak.last)
    # Only what was missing is taken over: marking, domain and time stay what they were when it was entered.
    same = leak.model_copy(update={"domain": finding.domain, "at": finding.at, "transaction": finding.transaction})
    _apply(finding, same, attribution.attribute(session, same))
    session.add(finding)
    evidence.append(session, _event(MonitorEvent.LEAK_ATTRIBUTED, finding, leak), at=now, body=_seen(finding))
    return Outcome.AMENDED


def _finding(leak: Leak, marking: markings.Marking, ceiling: int, now: datetime) -> Finding:
    said = leak.model_dump(exclude={"type", "id", "marking", "request_id", "serial"})
    return Finding(
        **said,
        id=hashlib.sha256(leak.id.encode()).hexdigest()[:32],
        sighting=leak.id,
        received=now,
        ceiling=ceiling,
        marking=marking.text,
        level=int(marking.level),
        malformed=marking.malformed,
        exceeds=marking.exceeds,
        request_id="",
        serial="",
        state=State.UNKNOWN.value,
        explanation="",
    )


def _apply(finding: Finding, leak: Leak, found: Attribution) -> None:
    finding.request_id, finding.serial = leak.request_id, leak.serial
    finding.state, finding.explanation = found.state.value, found.explanation
    finding.candidates = json.dumps([_shown(one) for one in found.candidates], ensure_ascii=False)
    if found.named is not None:
        finding.person, finding.person_name = found.named.person, found.named.name
        finding.organisation, finding.organisation_name = found.named.organisation, found.named.organisation_name
        finding.system, finding.application = found.named.system, found.named.application
    if found.officers is not None:
        charge, operating = found.officers.in_charge, found.officers.operating
        finding.in_charge_post, finding.in_charge_person = charge.post, charge.person
        finding.in_charge_name = charge.name
        finding.operating_post, finding.operating_person = operating.post, operating.person
        finding.operating_name = operating.name


def _shown(suspect: Suspect) -> Mapping[str, str]:
    return {
        "request_id": suspect.request_id,
        "serial": suspect.serial,
        "person": suspect.person,
        "name": suspect.name,
        "organisation": suspect.organisation_name,
        "application": suspect.application,
        "address": suspect.address,
        "at": to_rfc3339(suspect.at),
    }


def _seen(finding: Finding) -> Mapping[str, JsonValue]:
    """Return what is personal or classified about a leak, for the record's erasable body."""
    return {
        "excerpt": finding.excerpt,
        "host": finding.host,
        "path": finding.path,
        "source": finding.source,
        "destination": finding.destination,
    }


def _event(kind: MonitorEvent, finding: Finding, leak: Leak) -> Event:
    candidates: list[JsonValue] = [one["request_id"] for one in json.loads(finding.candidates)]
    return Event(
        kind.value,
        actor=f"device:{finding.sensor}",
        object=f"alert:{finding.id}",
        domain=finding.domain,
        details={
            "at": to_rfc3339(finding.at),
            "marking": finding.marking,
            "level": finding.level,
            "ceiling": finding.ceiling,
            "rule": str(finding.sid),
            "body_sha256": leak.body_sha256,
            "policy": finding.policy,
            "state": finding.state,
            "request_id": finding.request_id,
            "serial": finding.serial,
            "person": finding.person,
            "organisation": finding.organisation,
            "system": finding.system,
            "candidates": candidates,
            "in_charge": {"post": finding.in_charge_post, "person": finding.in_charge_person},
            "operating": {"post": finding.operating_post, "person": finding.operating_person},
        },
    )
