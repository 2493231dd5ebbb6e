"""Where a request at the desk stands, and what may be done with it next. Pure."""

from collections.abc import Container
from dataclasses import dataclass, replace
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


def lapse(standing: Standing, gone: Container[str]) -> Standing:
    """Return the standing without the approvals of those who may not decide any more."""
    kept = tuple(one for one in standing.approved_by if one not in gone)
    state = standing.state
    if state in (State.CHECKED, State.APPROVED) and len(kept) < standing.needed:
        state = State.CHECKED if kept else State.SUBMITTED
    return replace(standing, state=state, approved_by=kept)


def approve(standing: Standing, officer: str) -> State:
    """Return the state after an approval; what is approved stays so. Raises ``NotWaiting``, ``NotYourRequest``."""
    _check_open(standing, approved=True)
    if officer in (standing.requester, standing.holder):
        raise NotYourRequest("nobody approves a request that they filed, or that is for themselves")
    if standing.state is State.APPROVED:
        return State.APPROVED
    if officer in standing.approved_by:
        raise NotYourRequest("you approved it before: a second person is needed", hint="see `guosuo request list`")
    return State.APPROVED if len(standing.approved_by) + 1 >= standing.needed else State.CHECKED


def check_stoppable(standing: Standing, *, signing: bool) -> None:
    """Raise ``NotWaiting`` unless the request can be returned or rejected.

    What is approved can be stopped as long as it is not ``signing``: no certificate for it is made, or about to be.
    """
    _check_open(standing, approved=not signing)


def correct(standing: Standing, who: str) -> State:
    """Return the state after a correction. Raises ``NotWaiting``, ``NotYourRequest``."""
    if standing.state is not State.RETURNED:
        raise NotWaiting(f"this request is {standing.state}: only one that was returned is corrected")
    if who != standing.requester:
        raise NotYourRequest("who filed the request corrects it")
    return State.SUBMITTED


def _check_open(standing: Standing, *, approved: bool) -> None:
    """Raise unless it can be decided on; one that is ``approved`` only where that is said."""
    if standing.state not in (State.SUBMITTED, State.CHECKED) and not (approved and standing.state is State.APPROVED):
        raise NotWaiting(f"this request is {standing.state}: nothing is decided on it any more")
