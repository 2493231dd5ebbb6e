"""Errors of duties."""

from core.errors import Conflict, Forbidden, NotFound


class NoSuchDuty(NotFound):
    """There is no such duty, or none of the asker's."""

    reason = "no-such-duty"


class NotYours(Forbidden):
    """The duty belongs to a post that the person does not hold."""

    reason = "not-yours"


class AlreadySettled(Conflict):
    """There is nothing left to do."""

    reason = "already-settled"
