"""Errors of this package; every one says in ``reason`` which rule was broken."""

from core.errors import Malformed, Rejected, Unavailable


class PolicyRejected(Rejected):
    """A policy file breaks the schema or one of our own rules; all faults are in the message."""

    reason = "bad-policy"


class ApplicationRejected(Rejected):
    """An application's description is wrong; all faults are in the message, each with its line."""

    reason = "bad-application"


class BadEvaluation(Malformed):
    """An AuthZEN request lacks a field or holds one of the wrong type."""

    reason = "bad-evaluation"


class NotRecorded(Unavailable):
    """The answer could not be recorded, so none is given."""

    reason = "not-recorded"
