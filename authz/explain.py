"""Why, in a sentence, and who could change it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlmodel import Session

from authz.application import Catalogue
from authz.engine import Verdict
from authz.events import shortened
from authz.policy import PolicyText
from core.access import DecisionRequest
from core.errors import Conflict, NotFound
from core.identity import SITE, DomainId, SystemId
from core.registry import person, responsibility, role
from core.rule import DISJOINT

_REASONS = {
    "no-permit": "no policy permits it",
    "error": "the policies could not be evaluated, so the answer is no",
    "invalid": "the question makes no sense to the policies",
    "no-certificate": "there is no good certificate",
    "on-hold": "the certificate is on hold",
    "revoked": "the certificate is revoked",
    "expired": "the certificate has expired",
    "not-yet-valid": "the certificate is not valid yet",
    "unknown-certificate": "the certificate is not in the register",
    "separation-of-duties": f"two offices that exclude each other are held by one person: {DISJOINT}",
    "unknown-resource": "no reviewed description names this resource",
    "unknown-subject": "the register does not know who asks",
}

#: Most policies that a sentence names as what would have permitted it.
_MOST = 4

_SECURITY_ADMINISTRATOR = "security-administrator"


def sentence(
    request: DecisionRequest, verdict: Verdict, texts: Mapping[str, PolicyText], candidates: Iterable[str] = ()
) -> str:
    """Return one lower-case sentence: who may or may not do what where, and by which policy.

    ``candidates`` are the policies that were asked: when none permits, those that could have are named.
    """
    what = f"`{shortened(request.action)}` in `{shortened(request.domain, 60)}`"
    deciding = _named(verdict.policies, texts)
    if verdict.allowed:
        return f"`{request.principal.identifier}` may {what}: {deciding}"
    why = deciding if verdict.reason == "forbidden" else _REASONS.get(verdict.reason, verdict.reason)
    if verdict.reason == "invalid" and verdict.errors:
        why = _REASONS.get(verdict.errors[0], why)
    permits = [name for name in candidates if name in texts and texts[name].effect == "permit"]
    if verdict.reason == "no-permit" and permits:
        why = f"{why}; one of these would have to apply: {_named(permits[:_MOST], texts)}"
    return f"`{request.principal.identifier}` may not {what}: {why}"


def _named(identifiers: Iterable[str], texts: Mapping[str, PolicyText]) -> str:
    return ", ".join(f"{texts[name].title} (`{name}`)" for name in identifiers if name in texts)


def ask(session: Session, request: DecisionRequest, catalogue: Catalogue, at: datetime) -> str:
    """Return who could give what is missing; empty when nobody holds the post or office that could."""
    if request.domain == SITE:
        return _administrators(session, at)
    known = catalogue.resources.get((request.resource_type, request.resource_id))
    return officer(session, known.system if known else None, request.domain, at)


def officer(session: Session, system: SystemId | None, domain: DomainId, at: datetime) -> str:
    """Name who is in charge of ``system``, or else of ``domain``; empty when nobody is."""
    places: list[tuple[SystemId | None, DomainId | None, str]] = [(None, domain, f"domain `{shortened(domain, 60)}`")]
    if system is not None:
        places.insert(0, (system, None, f"`{system}`"))
    for one, other, place in places:
        try:
            found = responsibility.officers(session, system=one, domain=other, at=at).in_charge
        except (NotFound, Conflict):
            # A vacant post must not turn a clear refusal into a fault: the next one up is asked.
            continue
        return f"ask {found}, who is in charge of {place}"
    return ""


def _administrators(session: Session, at: datetime) -> str:
    held = role.held(session, at)
    holders = sorted({who for who, domain, name in held if (domain, name) == (SITE, _SECURITY_ADMINISTRATOR)})
    people = [found for found in (person.find(session, who) for who in holders) if found is not None]
    names = ", ".join(f"{one.name} (`{one.id}`)" for one in people[:_MOST])
    return f"ask the security administrator {names}" if names else ""
