"""Why, in a sentence, and who could change it."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session

from authz.application import Catalogue
from authz.engine import Verdict
from authz.events import shortened
from authz.policy import PolicyText
from core.access import DecisionRequest
from core.enforcement import SITE

_REASONS = {
    "no-permit": "no policy permits it",
    "error": "the policies could not be evaluated, so the answer is no",
    "invalid": "the question makes no sense to the policies",
    "revoked": "the certificate is revoked",
    "expired": "the certificate has expired",
    "not-yet-valid": "the certificate is not valid yet",
    "unknown-certificate": "the certificate is not in the register",
    "unknown-resource": "no reviewed description names this resource",
    "unknown-subject": "the register does not know who asks",
}


def sentence(request: DecisionRequest, verdict: Verdict, texts: Mapping[str, PolicyText]) -> str:
    """Return one lower-case sentence: who may or may not do what where, and by which policy."""
    what = f"`{shortened(request.action)}` in `{shortened(request.domain, 60)}`"
    deciding = ", ".join(f"{texts[name].title} (`{name}`)" for name in verdict.policies if name in texts)
    if verdict.allowed:
        return f"`{request.principal.identifier}` may {what}: {deciding}"
    why = deciding if verdict.reason == "forbidden" else _REASONS.get(verdict.reason, verdict.reason)
    if verdict.reason == "invalid" and verdict.errors:
        why = _REASONS.get(verdict.errors[0], why)
    return f"`{request.principal.identifier}` may not {what}: {why}"
