"""What may become of a certificate's state, as reviewed data (RFC 5280, 5.3.1: only a hold has a way back). Pure."""

from enum import StrEnum

from core.identity import Serial
from core.registry.credential import CredentialState
from pki.errors import AlreadyRevoked, NotOnHold


class Act(StrEnum):
    """What can be done to a certificate."""

    HOLD = "hold"
    RELEASE = "release"
    REVOKE = "revoke"


#: State and act, and the state after it. What is not here is refused. A hold that is held again gets another end.
TRANSITIONS = {
    (CredentialState.GOOD, Act.HOLD): CredentialState.HELD,
    (CredentialState.GOOD, Act.REVOKE): CredentialState.REVOKED,
    (CredentialState.HELD, Act.HOLD): CredentialState.HELD,
    (CredentialState.HELD, Act.RELEASE): CredentialState.GOOD,
    (CredentialState.HELD, Act.REVOKE): CredentialState.REVOKED,
}


def after(state: str, act: Act, serial: Serial) -> CredentialState:
    """Return the state after ``act``. Raises ``AlreadyRevoked``, or ``NotOnHold``."""
    now = CredentialState(state)
    if (now, act) in TRANSITIONS:
        return TRANSITIONS[now, act]
    if now is CredentialState.REVOKED:
        hint = "there is nothing left to do" if act is Act.REVOKE else "nothing brings it back: issue another one"
        raise AlreadyRevoked(f"the certificate `{serial}` was revoked before", hint=hint)
    raise NotOnHold(f"the certificate `{serial}` is not on hold", hint="there is nothing to release")
