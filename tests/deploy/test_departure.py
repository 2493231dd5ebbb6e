"""An administrator leaves by an act of two people; what waits for a decision is a duty, and ends with its proposer."""

from collections.abc import Mapping

import pytest
from sqlmodel import Session, col, select

from core.approval import acts, administrator, routing
from core.approval.acts import Acts
from core.approval.errors import NobodyCanApprove, NotYours
from core.approval.holding import Proposals
from core.approval.models import Approval
from core.database import Database
from core.duty import duty
from core.errors import Forbidden, Malformed, TrustError
from core.identity import PersonId
from core.ledger.models import EvidenceRow
from core.registry import appointment, leaver, role
from core.registry.errors import LastAdministrator, SeparationOfDuties
from core.registry.holding import Holders
from core.registry.leaver import Leaving
from core.registry.models import Person
from core.rule import OUTGOING, TWO
from core.signed import Json
from deploy import departure, leaving
from deploy.leaving import LeaveRequest
from tests.aside import meanwhile
from tests.clock import ManualClock
from tests.core.approval.desk import AUDITOR, SECURITY, SYSTEM, Desk, opened
from tests.deploy.holdings import HOLDERS

ALL = Holders((Proposals(), *HOLDERS.holders))
BASIS = "北辰信任〔2026〕8号 演练样本"
BODY: Mapping[str, Json] = {"person": AUDITOR, "basis": BASIS, "items": {"role:site/auditor": "sun-yue"}}


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> Desk:
    made = opened(database, clock)
    shipped = [one for one in acts.load() if one.act in (administrator.NAME, departure.NAME)]
    made.acts = Acts(shipped, [administrator.ACT, departure.act(ALL)])
    clock.advance(minutes=1)
    return made


def propose(desk: Desk, who: str = SECURITY, body: Mapping[str, Json] = BODY) -> Approval:
    return desk.propose(who, body, act=departure.NAME, object_=f"person:{body.get('person', '')}")


def left(desk: Desk, person: str) -> bool:
    with desk.database.read() as session:
        return session.get_one(Person, person).left_at is not None


def test_one_proposes_another_decides_and_the_office_passes_on(desk: Desk) -> None:
    row = propose(desk)
    assert (row.state, left(desk, AUDITOR)) == ("waiting", False)
    done = desk.approve(SYSTEM, row)
    assert (done.state, left(desk, AUDITOR)) == ("done", True)
    with desk.database.read() as session:
        assert ALL.holdings(session, "person", AUDITOR, desk.clock.now()) == []
        assert "auditor" in role.on_site(session, PersonId("sun-yue"), desk.clock.now())


@pytest.mark.parametrize("who", [SECURITY, AUDITOR, "sun-yue", "li-wen"])
def test_nobody_decides_who_is_concerned(desk: Desk, who: str) -> None:
    row = propose(desk)
    with pytest.raises(NotYours):
        desk.approve(who, row)
    assert not left(desk, AUDITOR)


def test_nobody_takes_part_in_their_own_leaving(desk: Desk) -> None:
    """Refused when it is proposed, with the rule; nothing waits for anybody."""
    with pytest.raises(NotYours, match="takes no part in it") as refused:
        propose(desk, AUDITOR)
    assert refused.value.rule == str(OUTGOING)
    assert desk.records("approval.") == []
    assert not left(desk, AUDITOR)


def test_nobody_decides_on_the_posts_that_come_to_them(desk: Desk) -> None:
    with desk.database.write() as session:
        appointment.fill(session, "czt-operations", AUDITOR, basis=BASIS, actor=SECURITY, at=desk.clock.now())
    desk.clock.advance(minutes=1)
    with pytest.raises(NobodyCanApprove):
        propose(desk, body={**BODY, "successor": SYSTEM})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"person": AUDITOR, "basis": BASIS}, LastAdministrator),
        ({**BODY, "items": {"role:site/auditor": SYSTEM}}, SeparationOfDuties),
        ({**BODY, "more": "x"}, Malformed),
        ({**BODY, "items": ["x"]}, Malformed),
        ({**BODY, "items": {"role:site/auditor": 1}}, Malformed),
        ({**BODY, "since": "yesterday"}, Malformed),
        ({**BODY, "since": "0001-01-01T00:00:00+14:00"}, Malformed),
        ({**BODY, "since": "9999-12-31T23:59:59-12:00"}, Malformed),
        ({**BODY, "person": "x" * 81}, Malformed),
        ({**BODY, "person": "nobody-here"}, TrustError),
    ],
)
def test_a_proposal_that_makes_no_sense_is_not_entered(
    desk: Desk, body: Mapping[str, Json], error: type[TrustError]
) -> None:
    with pytest.raises(error):
        propose(desk, body=body)
    assert desk.records("approval.") == []


def test_what_waits_is_a_duty_until_it_is_decided(desk: Desk) -> None:
    row = propose(desk)
    for _ in range(2):
        with desk.database.write() as session:
            routing.tell(session, desk.acts, desk.clock.now())
    with desk.database.read() as session:
        (waiting,) = duty.waiting(session)
    assert (waiting.kind, waiting.object, waiting.post) == ("proposal", f"approval:{row.id}", "xxb-director")
    desk.approve(SYSTEM, row)
    with desk.database.write() as session:
        routing.tell(session, desk.acts, desk.clock.now())
        assert duty.waiting(session) == []


def test_whoever_leaves_takes_their_proposals_along(desk: Desk) -> None:
    row = propose(desk, SYSTEM)
    asked = Leaving(PersonId(SYSTEM), BASIS, items={"role:site/system-administrator": PersonId("li-wen")})
    with desk.database.write() as session:
        planned = leaver.plan(session, ALL, asked, at=desk.clock.now())
        assert leaver.leave(session, ALL, asked, actor=SECURITY, at=desk.clock.now()) == planned
    assert f"proposal:{row.id}" in {one.name for one in planned}
    assert desk.state(row) == "withdrawn"
    with desk.database.read() as session:
        record = session.exec(select(EvidenceRow).where(col(EvidenceRow.type) == "approval.proposal.withdrawn")).one()
    assert (record.actor, b"its proposer left" in record.content) == (SECURITY, True)


def test_who_came_into_office_meanwhile_does_not_leave_by_one_alone(desk: Desk) -> None:
    """Whoever asked waited for the register, in which the leaver became an administrator."""
    desk.clock.advance(seconds=1)
    body = LeaveRequest(person="sun-yue", basis=BASIS, successor="chen-dev")
    principal = desk.people[SECURITY].peer(desk.clock.now()).principal

    def appoint(session: Session) -> None:
        at = desk.clock.now()
        role.appoint(session, person=PersonId("sun-yue"), role="auditor", giver=SECURITY, at=at)

    outcome = meanwhile(
        desk.database,
        desk.clock,
        lambda session: leaving.leave(body, session, principal, ALL, desk.clock),
        appoint,
    )
    assert outcome == "forbidden"
    assert not left(desk, "sun-yue")


def test_one_alone_is_told_the_rule_by_which_it_takes_two(desk: Desk) -> None:
    body = LeaveRequest(person=AUDITOR, basis=BASIS, items={"role:site/auditor": "sun-yue"})
    principal = desk.people[SECURITY].peer(desk.clock.now()).principal
    with desk.database.write() as session, pytest.raises(Forbidden, match="it takes two people") as refused:
        leaving.leave(body, session, principal, ALL, desk.clock)
    assert (refused.value.rule, refused.value.about) == (str(TWO), f"person:{AUDITOR}")
    assert not left(desk, AUDITOR)
