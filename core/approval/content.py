"""What the two people sign: the digest of a proposal, and of a decision on it. Pure; both sides compute it alike."""

from collections.abc import Mapping

from core import signed
from core.signed import Json

#: The acts as they stand in a signed text.
PROPOSE = "approval.propose"
RESUBMIT = "approval.resubmit"
APPROVE = "approval.approve"
RETURN = "approval.return"
REJECT = "approval.reject"
WITHDRAW = "approval.withdraw"


def proposal(*, act: str, object_: str, body: Mapping[str, Json], reason: str) -> str:
    """Return the digest of a proposal (64 hexadecimal digits)."""
    return signed.digest({"act": act, "object": object_, "body": body, "reason": reason})


def decision(*, proposal: str, revision: int, comment: str) -> str:
    """Return the digest of a decision: exactly this revision of this proposal, with this comment."""
    return signed.digest({"proposal": proposal, "revision": revision, "comment": comment})


def name(identifier: str) -> str:
    """Return a proposal's name as an object of signed texts and of evidence."""
    return f"approval:{identifier}"
