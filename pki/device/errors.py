"""Errors of machines that ask by themselves."""

from core.errors import Conflict, Forbidden, Unauthenticated, Unavailable


class BadSecret(Unauthenticated):
    """The secret is wrong, used, withdrawn or over; which of them it is stands in the record."""

    reason = "bad-initial-secret"


class NotAMachine(Forbidden):
    """Whoever shows this certificate is no machine: people go to the desk."""

    reason = "not-a-machine"


class NoProof(Unauthenticated):
    """Neither a certificate nor an initial secret says who asks."""

    reason = "no-proof-of-identity"


class NotOpen(Conflict):
    """The secret is used, withdrawn or over."""

    reason = "secret-not-open"


class TooMany(Unavailable):
    """More than may be asked in a while."""

    reason = "too-many-requests"


class DeskRefused(Conflict):
    """Officers returned or rejected the request at the desk."""

    reason = "refused-at-the-desk"
