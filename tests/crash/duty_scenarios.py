"""Work of duties: taken up by who holds the post, refused to who does not."""

import contextlib

from core.duty import api, duty
from core.duty.errors import NotYours
from core.identity import Principal
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place


def take_up(place: Place, say: Say) -> None:
    """The endpoint's own function, by the person who holds the post, three times."""
    parts = Parts(place)
    principal = _person(parts, "wu-ops")
    for number in range(3):
        identifier = _raise(parts, number)
        done = api.acknowledge(identifier, api.Note(), principal, parts.database, parts.clock)
        say("recorded", done.signature)


def be_refused(place: Place, _say: Say) -> None:
    """Somebody else's duty."""
    parts = Parts(place)
    principal = _person(parts, "sun-yue")
    for number in range(3):
        with contextlib.suppress(NotYours):
            api.acknowledge(_raise(parts, number), api.Note(), principal, parts.database, parts.clock)


def _person(parts: Parts, person: str) -> Principal:
    return parts.authenticator.authenticate(parts.issue(person).der)


def _raise(parts: Parts, number: int) -> str:
    at = parts.clock.now()
    with parts.database.write() as session:
        return duty.raise_duty(
            session,
            kind="alert",
            object_=f"alert:{at:%H%M%S%f}-{number}",
            title="alert",
            post="czt-operations",
            domain="outer-finance",
            due=None,
            at=at,
            actor="device:sensor-1",
        )
