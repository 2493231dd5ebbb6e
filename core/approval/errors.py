"""What can be wrong with an act of two people; each leaf has its stable word."""

from core.errors import Conflict, Forbidden, Malformed, NotFound


class BadActs(Malformed):
    """The file of acts breaks its own form, or does not fit what the parts provide."""

    reason = "bad-acts"


class UnknownAct(NotFound):
    """No act has this name."""

    reason = "unknown-act"


class UnknownApproval(NotFound):
    """No proposal has this identifier."""

    reason = "unknown-approval"


class NotYours(Forbidden):
    """Somebody else has to do this."""

    reason = "not-yours"


class NobodyCanApprove(Conflict):
    """There is nobody at this time who could decide on the act."""

    reason = "nobody-can-approve"


class NotWaiting(Conflict):
    """The proposal no longer waits (concluded, expired), or is not at this revision."""

    reason = "not-waiting"
