"""The certificate behind a principal, asked again in the transaction of the decision: no gap before the answer."""

from datetime import datetime

from sqlmodel import Session

from core.identity import Principal
from core.registry import credential
from core.registry.credential import Credential, CredentialState


def refusal(session: Session, principal: Principal, at: datetime) -> str:
    """Return why the principal's certificate is no good at this moment; empty when it is good."""
    if not principal.serial:
        return "no-certificate"
    # Held, or a revocation could be recorded between this look and the record of the decision.
    found = credential.hold(session, principal.serial)
    if found is None or (found.holder_kind, found.holder) != (principal.kind.value, principal.identifier):
        return "unknown-certificate"
    return refusal_of(found, at)


def refusal_of(found: Credential, at: datetime) -> str:
    """Return ``on-hold``, ``revoked``, ``expired``, ``not-yet-valid`` or nothing."""
    if found.state == CredentialState.HELD:
        return "on-hold"
    if found.state != CredentialState.GOOD:
        return "revoked"
    if at < found.not_before:
        return "not-yet-valid"
    return "expired" if at > found.not_after else ""
