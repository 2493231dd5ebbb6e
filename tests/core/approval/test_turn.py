"""Whoever waited for others looks at what is true after them: no act rests on what ended meanwhile."""

import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from core.approval import acts, administrator, holding, routing
from core.approval.acts import Acts, Body
from core.database import Database
from core.duty import duty
from core.identity import PersonId, PostId
from core.registry import handover, role
from core.registry.handover import Order
from core.registry.models import Person
from core.signed import Json
from tests.aside import Aside
from tests.clock import ManualClock
from tests.core.approval.desk import AUDITOR, FINANCE, HEAD, OFFICES, OPERATOR, SECURITY, SYSTEM, Desk, opened


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> Desk:
    return opened(database, clock)


def test_an_office_that_ends_while_the_approver_waits(desk: Desk) -> None:
    row, asked = desk.propose(), desk.clock.now()
    desk.clock.advance(seconds=1)
    with desk.database.write() as session:
        at = desk.clock.now()
        role.withdraw(session, person=PersonId(SYSTEM), domain="site", role=OFFICES[SYSTEM], actor="x", at=at)
        session.flush()
        waiting = Aside(lambda: desk.approve(SYSTEM, row, asked=asked).state)
        time.sleep(0.3)
        assert waiting.outcome is None
    assert waiting.end() == "not-yours"
    assert (desk.state(row), desk.world.done) == ("waiting", [])


def test_a_proposer_whose_role_is_withdrawn_while_the_approver_decides(database: Database, clock: ManualClock) -> None:
    """Any role on the site counts that a rule names, not only the three administrators'."""
    desk = opened(database, clock, propose=("role:analyst",))
    who = PersonId("li-wen")
    with database.write() as session:
        role.assign(session, person=who, domain="site", role="analyst", giver="x", at=clock.now())
    row, asked = desk.propose(who), clock.now()
    clock.advance(seconds=1)
    with database.write() as session:
        role.withdraw(session, person=who, domain="site", role="analyst", actor="x", at=clock.now())
        session.flush()
        waiting = Aside(lambda: desk.approve(SYSTEM, row, asked=asked).state)
        time.sleep(0.3)
        assert waiting.outcome is None
    assert waiting.end() == "not-yours"
    assert (desk.state(row), desk.world.done) == ("waiting", [])


def test_a_post_that_is_handed_over_while_its_holder_decides(desk: Desk) -> None:
    body: Body = {"thing": "1", "domain": FINANCE}
    row, asked = desk.propose(SECURITY, body), desk.clock.now()
    desk.clock.advance(seconds=1)
    with desk.database.write() as session:
        for post, to in (("czt-head", "chen-dev"), ("czt-operations", "chu-dev")):
            order = Order(PostId(post), PersonId(to), "演练样本")
            handover.hand_over(session, order, actor=SECURITY, now=desk.clock.now())
        waiting = Aside(lambda: desk.approve(HEAD, row, asked=asked).state)
        proposing = Aside(lambda: desk.propose(OPERATOR, body).state)
        time.sleep(0.3)
        assert (waiting.outcome, proposing.outcome) == (None, None)
    assert (waiting.end(), proposing.end()) == ("not-yours", "not-yours")
    assert (desk.state(row), desk.world.done) == ("waiting", [])


def test_of_two_acts_at_once_neither_rests_on_an_office_that_the_other_ends(desk: Desk) -> None:
    """Each of them takes a person out of office whom the other needs: one after the other only one can be done."""
    meeting = threading.Barrier(2)

    def carry_out(
        session: Session, body: Body, proposer: PersonId, approver: PersonId, at: datetime
    ) -> dict[str, Json]:
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.5)
        return administrator.carry_out(session, body, proposer, approver, at)

    slow = replace(administrator.ACT, carry_out=carry_out)
    desk.acts = Acts([one for one in acts.load() if one.act == administrator.NAME], [slow])
    rows = {}
    for proposer, approver, outgoing in ((SECURITY, SYSTEM, AUDITOR), (AUDITOR, SECURITY, SYSTEM)):
        body = {"role": OFFICES[outgoing], "outgoing": outgoing}
        rows[approver] = desk.propose(proposer, body, act=administrator.NAME, object_=f"office:{OFFICES[outgoing]}")
    desk.clock.advance(seconds=1)
    both = [Aside(lambda who=who, row=row: desk.approve(who, row).state) for who, row in rows.items()]  # type: ignore[misc]
    assert sorted(str(one.end()) for one in both) == ["done", "not-yours"]


def test_what_was_done_while_its_proposer_left_stays_done(desk: Desk) -> None:
    """Leaving looked at the proposal while it waited, and waits for it until it is done."""
    row = desk.propose()
    leaving: list[Aside] = []

    def leave() -> object:
        with desk.database.write() as session:
            return holding.Proposals().relinquish(
                session, PersonId(SECURITY), successor=None, actor=AUDITOR, at=desk.clock.now()
            )

    def meanwhile(_session: Session, _body: Body, _at: datetime) -> list[str]:
        leaving.append(Aside(leave))
        time.sleep(0.3)
        return []

    desk.world.consequences = meanwhile  # type: ignore[method-assign]  # what carrying out looks at
    desk.clock.advance(seconds=1)
    assert desk.approve(SYSTEM, row).state == "done"
    assert leaving[0].end() == []
    assert desk.state(row) == "done"
    assert [kind for kind, _, _ in desk.records()][-1] == "approval.act.carried-out"


def test_the_same_proposal_twice_at_once_is_one(desk: Desk) -> None:
    """A client that heard nothing asks again while the first request is still under way."""
    ready = threading.Barrier(2)

    def ask() -> str:
        ready.wait()
        return desk.propose().id

    first, second = Aside(ask), Aside(ask)
    assert first.end() == second.end() is not None
    assert [kind for kind, _, _ in desk.records()] == ["approval.proposal.made"]


def test_a_corrected_proposal_has_half_of_its_own_time(desk: Desk) -> None:
    row = desk.propose()
    desk.clock.advance(hours=20)
    desk.return_(AUDITOR, row)
    desk.clock.advance(hours=2)
    desk.resubmit(SECURITY, row, {"thing": "1", "better": True})
    with desk.database.write() as session:
        routing.tell(session, desk.acts, desk.clock.now())
        (waiting,) = duty.waiting(session)
    assert waiting.due == desk.clock.now() + timedelta(hours=12)


def test_a_proposal_waits_for_a_post_whose_holder_can_still_decide(desk: Desk) -> None:
    desk.propose(SECURITY, {"thing": "1", "domain": FINANCE})
    desk.clock.advance(seconds=1)
    order = Order(PostId("xxb-director"), PersonId(AUDITOR), "演练样本")
    with desk.database.write() as session:
        handover.hand_over(session, order, actor=SECURITY, now=desk.clock.now())

    def told(*, suspended: bool) -> str:
        with desk.database.write() as session:
            session.get_one(Person, HEAD).suspended = suspended
            routing.tell(session, desk.acts, desk.clock.now())
            (waiting,) = duty.waiting(session)
            return waiting.post

    assert told(suspended=False) == "czt-head"
    assert told(suspended=True) == "xxb-director"
