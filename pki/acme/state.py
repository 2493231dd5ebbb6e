"""The states of accounts, orders, authorizations and challenges, as data (RFC 8555, 7.1.6). Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from pki.acme.errors import WrongState


class State(StrEnum):
    """Every state that a thing of the protocol may be in."""

    PENDING = "pending"
    READY = "ready"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    REVOKED = "revoked"


P, READY, AT_WORK, VALID, INVALID = State.PENDING, State.READY, State.PROCESSING, State.VALID, State.INVALID

Machine = Mapping[State, frozenset[State]]

#: A deactivated account does not come back.
ACCOUNT: Machine = {
    VALID: frozenset({State.DEACTIVATED, State.REVOKED}),
    State.DEACTIVATED: frozenset(),
    State.REVOKED: frozenset(),
}

#: ``processing`` goes back to ``ready`` when the content of the request was refused: nothing was issued, and the order
#: can be finalized with a better one.
ORDER: Machine = {
    P: frozenset({READY, INVALID}),
    READY: frozenset({AT_WORK, INVALID}),
    AT_WORK: frozenset({READY, VALID, INVALID}),
    VALID: frozenset(),
    INVALID: frozenset(),
}

AUTHORIZATION: Machine = {
    P: frozenset({VALID, INVALID, State.DEACTIVATED}),
    VALID: frozenset({State.DEACTIVATED, State.REVOKED, State.EXPIRED}),
    INVALID: frozenset(),
    State.DEACTIVATED: frozenset(),
    State.EXPIRED: frozenset(),
    State.REVOKED: frozenset(),
}

CHALLENGE: Machine = {
    P: frozenset({AT_WORK}),
    AT_WORK: frozenset({VALID, INVALID}),
    VALID: frozenset(),
    INVALID: frozenset(),
}


def move(machine: Machine, before: str, after: State, what: str) -> str:
    """Return ``after`` as it is stored, when it follows on ``before``; raises ``WrongState``."""
    if after not in machine[State(before)]:
        raise WrongState(f"the {what} is {before}, it cannot become {after}")
    return after.value


def of_order(authorizations: Sequence[str]) -> State:
    """Return the state of an order that waits, from those of its authorizations."""
    if all(one == VALID for one in authorizations):
        return READY
    return P if all(one in (P, VALID) for one in authorizations) else INVALID
