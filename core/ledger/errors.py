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


class InconsistentLog(Conflict):
    """The records in the store contradict a checkpoint that was signed before: nothing more is signed."""

    reason = "inconsistent-log"


class LeaseHeld(Unavailable):
    """Another sequencer works; this one waits."""

    reason = "sequencer-lease-held"


class Fenced(Conflict):
    """Another sequencer has taken over; this one must end."""

    reason = "sequencer-fenced"


class NotPublished(Unavailable):
    """A record did not come under a signed checkpoint in time."""

    reason = "evidence-not-published"


class QueueFull(Unavailable):
    """More records wait to be stored than are let in; this one was not made, and nothing was done."""

    reason = "evidence-queue-full"


class StorageFailed(Unavailable):
    """The evidence's directory or its mirror cannot be written."""

    reason = "evidence-storage-failed"


class UnknownRecord(NotFound):
    """No record has this identifier."""

    reason = "unknown-record"


class UnknownTile(NotFound):
    """The log has no such tile."""

    reason = "unknown-tile"
