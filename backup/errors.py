"""What can be wrong with coming back; each leaf has its stable word."""

from core.errors import Conflict, Malformed, NotFound, Rejected, Unavailable


class BadIdentity(Malformed):
    """A file is not a recovery identity, or a text no recipient."""

    reason = "bad-recovery-identity"


class BadManifest(Malformed):
    """The manifest of a recovery point cannot be read."""

    reason = "bad-manifest"


class Damaged(Rejected):
    """A recovery point, or the mirrored evidence, is not what was sealed."""

    reason = "damaged"


class DrillFailed(Unavailable):
    """A drill ended without a verdict: nothing is said about the archive."""

    reason = "drill-without-verdict"


class NoSuchPoint(NotFound):
    """The repository holds no such sealed recovery point."""

    reason = "no-such-point"


class NotEmpty(Conflict):
    """The place to restore into holds something already."""

    reason = "not-empty"


class PointFailed(Unavailable):
    """A recovery point could not be made; it is recorded as failed."""

    reason = "point-failed"


class PointUnderWay(Conflict):
    """Another recovery point is being made at this moment."""

    reason = "point-under-way"


class StoreProgramFailed(Unavailable):
    """``pg_dump`` or ``pg_restore`` failed."""

    reason = "store-program-failed"


class WrongIdentity(Rejected):
    """The recovery identity is none of those that the point was encrypted to."""

    reason = "wrong-identity"
