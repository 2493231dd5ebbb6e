"""Work of duties: taken up by who holds the post, refused to who does not."""

import contextlib

from core.duty import api, duty, statement
from core.duty.api import DutyItem
from core.duty.errors import NotYours
from core.registry.models import Person
from pki.errors import DepartedHolder
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


def come_back(place: Place, _say: Say) -> None:
    """Somebody who left tries a certificate of theirs, three times."""
    parts = Parts(place)
    with parts.database.write() as session:
        # As it was before the last kill.
        session.get_one(Person, "jie-city").left_at = None
    certificate = parts.issue("jie-city").der
    with parts.database.write() as session:
        session.get_one(Person, "jie-city").left_at = parts.clock.now()
    for _ in range(3):
        with contextlib.suppress(DepartedHolder):
            parts.authenticator.authenticate(certificate)
        parts.clock.advance(minutes=1)


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
