"""Where a request at the desk stands, and what may be done with it next. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import Conflict, Forbidden


class State(StrEnum):
    """Where a request stands. ``checked`` waits for a second person; ``approved`` for its signature alone."""

    SUBMITTED = "submitted"
    CHECKED = "checked"
    RETURNED = "returned"
    APPROVED = "approved"
    REJECTED = "rejected"
    ISSUED = "issued"


class NotWaiting(Conflict):
    """The request does not stand where this could be done with it."""

    reason = "not-waiting"


class NotYourRequest(Forbidden):
    """This person may not decide on this request, or not correct it."""

    reason = "not-yours"


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides on the next step; ``holder`` is a person's id or empty, ``needed`` how many officers must agree."""

    state: State
    requester: str
    holder: str
    approved_by: tuple[str, ...]
    needed: int


def approve(standing: Standing, officer: str) -> State:
    """Return the state after an approval. Raises ``NotWaiting``, ``NotYourRequest``."""
    _check_open(standing)
    if officer in (standing.requester, standing.holder):
        raise NotYourRequest("nobody approves a request that they filed, or that is for themselves")
    if officer in standing.approved_by:
        raise NotYourRequest("you approved it before: a second person is needed", hint="see `guosuo request list`")
    return State.APPROVED if len(standing.approved_by) + 1 >= standing.needed else State.CHECKED


def return_(standing: Standing) -> State:
    """Return the state after it was given back to be corrected. Raises ``NotWaiting``."""
    _check_open(standing)
    return State.RETURNED


def reject(standing: Standing) -> State:
    """Return the state after a final refusal. Raises ``NotWaiting``."""
    _check_open(standing)
    return State.REJECTED


def correct(standing: Standing, who: str) -> State:
    """Return the state after a correction. Raises ``NotWaiting``, ``NotYourRequest``."""
    if standing.state is not State.RETURNED:
        raise NotWaiting(f"this request is {standing.state}: only one that was returned is corrected")
    if who != standing.requester:
        raise NotYourRequest("who filed the request corrects it")
    return State.SUBMITTED


def _check_open(standing: Standing) -> None:
    if standing.state not in (State.SUBMITTED, State.CHECKED):
        raise NotWaiting(f"this request is {standing.state}: nothing is decided on it any more")
