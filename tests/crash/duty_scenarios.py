"""Work of duties: taken up by who holds the post, refused to who does not."""

import contextlib

from core.duty import api, duty, statement
from core.duty.api import DutyItem
from core.duty.errors import NotYours
from tests.core.signers import certified
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place


def take_up(place: Place, say: Say) -> None:
    """The endpoint's own function, by the person who holds the post, three times."""
    parts = Parts(place)
    for number in range(3):
        done = _acknowledge(parts, "wu-ops", number)
        say("recorded", done.signature)


def be_refused(place: Place, _say: Say) -> None:
    """Somebody else's duty."""
    parts = Parts(place)
    for number in range(3):
        with contextlib.suppress(NotYours):
            _acknowledge(parts, "sun-yue", number)


def _acknowledge(parts: Parts, person: str, number: int) -> DutyItem:
    identifier, at = _raise(parts, number), parts.clock.now()
    with parts.database.write() as session:
        signer = certified(session, person, at)
        row = duty.get(session, identifier)
    seen = statement.digest(kind=row.kind, about=row.object, title=row.title, stage=row.stage, note="")
    given = signer.sign(statement.ACKNOWLEDGE, f"duty:{identifier}", seen, at)
    return api.acknowledge(identifier, api.Word(signed=given), signer.peer(at), parts.database)


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
