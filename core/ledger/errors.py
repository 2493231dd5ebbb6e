"""What can be wrong with evidence; each leaf has its stable word."""

from core.errors import Conflict, Forbidden, Malformed, NotFound, Rejected, Unavailable


class BadProof(Rejected):
    """A Merkle proof does not lead to the root it is said to lead to."""

    reason = "bad-proof"


class MalformedProof(Malformed):
    """A file is not a proof in the form of C2SP tlog-proof or tlog-witness."""

    reason = "malformed-proof"


class BadPolicy(Malformed):
    """A trust policy is not in the form of C2SP tlog-policy."""

    reason = "bad-trust-policy"


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


class BadCosignature(Rejected):
    """A witness's cosignature is not there, or does not fit the checkpoint."""

    reason = "bad-cosignature"


class QuorumMissed(Rejected):
    """Not enough witnesses have cosigned a checkpoint."""

    reason = "quorum-missed"


class BadTimestamp(Rejected):
    """A time-stamp token is not one that proves anything of this checkpoint."""

    reason = "bad-timestamp"


class UnknownLog(NotFound):
    """This witness does not know the log."""

    reason = "unknown-log"


class ForeignSignature(Forbidden):
    """A checkpoint is not signed by the key that the witness knows for its log."""

    reason = "foreign-signature"


class WitnessDamaged(Unavailable):
    """What a witness keeps of a log contradicts itself: it cosigns nothing more of that log."""

    reason = "witness-damaged"


class StaleSize(Conflict):
    """A log named another old size than the witness has seen; ``size`` is the one it has."""

    reason = "stale-size"

    def __init__(self, detail: str, *, size: int) -> None:
        """Keep the size that the witness has cosigned."""
        super().__init__(detail)
        self.size = size


class ForkedLog(Rejected):
    """A log signed a tree that does not continue the one it showed before."""

    reason = "forked-log"


class WitnessFailed(Unavailable):
    """A witness, or a time-stamp authority, gave no answer that can be used."""

    reason = "witness-failed"


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


class QueueFull(Unavailable):
    """More records wait to be stored than are let in; this one was not made, and nothing was done."""

    reason = "evidence-queue-full"


class StorageFailed(Unavailable):
    """The evidence's directory or its mirror cannot be written."""

    reason = "evidence-storage-failed"


class TileLost(Unavailable):
    """No copy of the evidence has a tile that others hang on; it is made again from the records."""

    reason = "evidence-tile-lost"


class UnknownRecord(NotFound):
    """No record has this identifier."""

    reason = "unknown-record"


class UnknownTile(NotFound):
    """The log has no such tile."""

    reason = "unknown-tile"
