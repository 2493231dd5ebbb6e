"""What is going on at the registration desk when the product is killed."""

import contextlib
import secrets

from core.errors import TrustError
from core.identity import SITE, PersonId, SubjectKind
from core.registry import role
from pki import enrolment
from pki.desk import RequestDesk
from pki.deskofficer import Officer
from pki.enrolment import Invitation
from pki.redemption import Redemption
from pki.request import IssuanceRequest
from tests.crash.nursery import Say
from tests.crash.parts import Parts, Place, csr


def _ask(holder: str) -> IssuanceRequest:
    return IssuanceRequest(csr(holder), "person", SubjectKind.PERSON, holder)


def work_at_the_desk(place: Place, say: Say) -> None:
    """Requests are filed, returned, corrected, approved by one or two, and rejected."""
    parts = Parts(place)
    desk = RequestDesk(
        database=parts.database, authority=parts.authority, clock=parts.clock, random=secrets.token_bytes
    )
    zhao, lu = _officer(parts, "zhao-ra"), _officer(parts, "lu-security")
    for _ in range(3):
        returned = desk.file(_ask("li-wen"), actor="wu-ops")
        desk.return_(returned.id, digest=returned.digest, comment="another key", officer=zhao)
        again = desk.correct(returned.id, _ask("li-wen"), actor="wu-ops")
        say("issued", desk.approve(again.id, digest=again.digest, comment="", officer=zhao).serial)
        two = desk.file(_ask("han-office"), actor="wu-ops")
        desk.approve(two.id, digest=two.digest, comment="", officer=zhao)
        say("issued", desk.approve(two.id, digest=two.digest, comment="", officer=lu).serial)
        last = desk.file(_ask("sun-yue"), actor="wu-ops")
        desk.reject(last.id, digest=last.digest, comment="no need", officer=zhao)


def _officer(parts: Parts, name: str) -> Officer:
    with parts.database.write() as session:
        office = "registration-officer"
        role.assign(session, person=PersonId(name), domain=SITE, role=office, giver="founding", at=parts.clock.now())
    return Officer(name, parts.issue(name).serial)


def show_codes(place: Place, say: Say) -> None:
    """A code is shown with a request that is none of its holder's, and then with a good one, twice."""
    parts = Parts(place)
    taking = Redemption(
        database=parts.database, authority=parts.authority, clock=parts.clock, random=secrets.token_bytes
    )
    for _ in range(3):
        with parts.database.write() as session:
            asked, at = Invitation("li-wen", "person"), parts.clock.now()
            _row, made = enrolment.open_code(session, asked, actor="wu-ops", at=at, random=secrets.token_bytes)
        with contextlib.suppress(TrustError):
            taking.redeem(made.text, csr("sun-yue"))
        good = csr("li-wen")
        first = taking.redeem(made.text, good)[1]
        assert taking.redeem(made.text, good)[1].request == first.request
