"""Errors of this package; every one says in ``reason`` which rule was broken."""

from core.errors import Malformed, Rejected, Unauthenticated, Unavailable


class PolicyRejected(Rejected):
    """A policy file breaks the schema or one of our own rules; all faults are in the message."""

    reason = "bad-policy"


class ApplicationRejected(Rejected):
    """An application's description is wrong; all faults are in the message, each with its line."""

    reason = "bad-application"


class BadEvaluation(Malformed):
    """An AuthZEN request lacks a field or holds one of the wrong type."""

    reason = "bad-evaluation"


class BadQuestion(Malformed):
    """A gateway's question lacks a part that every gateway of ours sends."""

    reason = "bad-question"


class BadPeerCertificate(Unauthenticated):
    """What the gateway passed on as its peer's certificate cannot be read."""

    reason = "bad-certificate"


class NotRecorded(Unavailable):
    """The answer could not be recorded, so none is given."""

    reason = "not-recorded"
