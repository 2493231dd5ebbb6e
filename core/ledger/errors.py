"""What can be wrong with evidence; each leaf has its stable word."""

from core.errors import Conflict, Malformed, NotFound, Rejected, Unavailable


class BadProof(Rejected):
    """A Merkle proof does not lead to the root it is said to lead to."""

    reason = "bad-proof"


class BadTile(Malformed):
    """A tile or entry bundle cannot be read."""

    reason = "bad-tile"


class BadCheckpoint(Malformed):
    """A checkpoint or verifier key is not in the form of C2SP tlog-checkpoint and signed-note."""

    reason = "bad-checkpoint"


class BadCheckpointSignature(Rejected):
    """A checkpoint is not signed by the key that was expected."""

    reason = "bad-checkpoint-signature"


class BodyErased(Conflict):
    """The body of a record was there, and is no longer."""

    reason = "body-erased"


class Kept(Rejected):
    """A rule or a legal hold keeps what was to be purged or erased."""

    reason = "kept"


class InconsistentLog(Conflict):
    """The records in the store contradict a checkpoint that was signed before: nothing more is signed."""

    reason = "inconsistent-log"


class LeaseHeld(Unavailable):
    """Another sequencer works; this one waits."""

    reason = "sequencer-lease-held"


class Fenced(Conflict):
    """Another sequencer has taken over; this one must end."""

    reason = "sequencer-fenced"


class NoBody(NotFound):
    """A record has no body."""

    reason = "no-body"


class NotPublished(Unavailable):
    """A record did not come under a signed checkpoint in time."""

    reason = "evidence-not-published"


class StorageFailed(Unavailable):
    """The evidence's directory or its mirror cannot be written."""

    reason = "evidence-storage-failed"


class UnknownRecord(NotFound):
    """No record has this identifier."""

    reason = "unknown-record"


class UnknownTile(NotFound):
    """The log has no such tile."""

    reason = "unknown-tile"
