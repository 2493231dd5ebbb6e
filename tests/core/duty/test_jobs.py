"""Duties that the product raises by itself: overdue, roles that end; and how things stand."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from core.database import Database
from core.duty import duty, jobs, lapse, orphan, status, survey
from core.duty.models import Duty
from core.identity import PersonId, PostId
from core.registry import change, handover, loader
from core.registry.errors import RegisterRejected
from core.registry.handover import Order
from core.registry.models import Agreement, Person, PostHolding, RoleAssignment
from tests.clock import ManualClock
from tests.people import PROVINCE, enter_province


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now())
    return database


def raised(session: Session, clock: ManualClock, post: str, domain: str) -> str:
    return duty.raise_duty(
        session,
        kind="alert",
        object_=f"alert:{post}",
        title="alert",
        post=post,
        domain=domain,
        due=clock.now() + timedelta(hours=1),
        at=clock.now(),
        actor="device:sensor-1",
    )


@pytest.mark.parametrize(
    ("post", "domain", "target"),
    [
        ("czt-operations", "outer-finance", "czt-head"),
        ("czt-head", "outer-finance", "xxb-director"),
        ("xxb-director", "management", ""),
        ("xxb-operations", "site", "xxb-director"),
    ],
)
def test_overdue_goes_to_the_post_in_charge_as_well(
    province: Database, clock: ManualClock, post: str, domain: str, target: str
) -> None:
    with province.write() as session:
        identifier = raised(session, clock, post, domain)
        assert jobs.escalate(session, clock.now()) == 0
    clock.advance(hours=1, seconds=1)
    with province.write() as session:
        assert jobs.escalate(session, clock.now()) == bool(target)
        assert jobs.escalate(session, clock.now()) == 0
        assert duty.get(session, identifier).escalated_post == target


def test_after_a_handover_a_duty_waits_for_the_successor(province: Database, clock: ManualClock) -> None:
    clock.advance(hours=1)
    order = Order(PostId("czt-operations"), PersonId("chen-dev"), "演练样本")
    with province.write() as session:
        taken, untouched = (
            raised(session, clock, "czt-operations", "outer-finance"),
            raised(session, clock, "czt-head", "outer-finance"),
        )
        duty.acknowledge(session, taken, person="wu-ops", proof={}, at=clock.now())
        duty.acknowledge(session, untouched, person="zhou-head", proof={}, at=clock.now())
        assert jobs.follow(session, clock.now()) == 0
        clock.advance(minutes=1)
        handover.hand_over(session, order, actor="zhao-ra", now=clock.now())
        assert [jobs.follow(session, clock.now()) for _ in range(2)] == [1, 0]
        states = {one.id: (one.state, one.acknowledged_by) for one in duty.waiting(session)}
        assert states == {taken: ("open", ""), untouched: ("acknowledged", "zhou-head")}
        assert duty.acknowledge(session, taken, person="chen-dev", proof={}, at=clock.now()).state == "acknowledged"


def test_who_answers_by_escalation_keeps_what_they_took_up(province: Database, clock: ManualClock) -> None:
    clock.advance(hours=1)
    with province.write() as session:
        late = raised(session, clock, "czt-operations", "outer-finance")
        clock.advance(hours=2)
        jobs.escalate(session, clock.now())
        duty.acknowledge(session, late, person="zhou-head", proof={}, at=clock.now())
        order = Order(PostId("czt-operations"), PersonId("chen-dev"), "演练样本")
        handover.hand_over(session, order, actor="zhao-ra", now=clock.now())
        assert jobs.follow(session, clock.now()) == 0


def test_a_role_that_ends_is_told_at_each_stage_and_settled(province: Database, clock: ManualClock) -> None:
    end = clock.now() + timedelta(days=20)
    with province.write() as session:
        session.add(
            RoleAssignment(
                person="li-wen", domain="outer-finance", role="reviewer", since=clock.now(), until=end, giver="x"
            )
        )
    stages = []
    for days in (0, 5, 9, 5, 2):
        clock.advance(days=days)
        with province.write() as session:
            lapse.tell_roles(session, clock.now())
            lapse.tell_roles(session, clock.now())
            stages.append([(one.post, one.stage) for one in duty.waiting(session) if one.kind == "role-expiry"])
    post = "czt-operations"
    assert stages == [[(post, "30")], [(post, "30")], [(post, "7")], [(post, "1")], []]
    with province.read() as session:
        assert len(session.exec(select(Duty)).all()) == 1


def test_the_longest_names_that_the_register_admits_are_told(database: Database, clock: ManualClock) -> None:
    person, domain, role = "p" * 41, "d" * 41, "r" * 80
    text = PROVINCE.read_text(encoding="utf-8")
    for short, longest in (("li-wen", person), ("outer-finance", domain), ("budget-reader", role)):
        text = text.replace(short, longest)
        with pytest.raises(RegisterRejected):
            loader.parse_province(text.replace(longest, f"{longest}x"))
    with database.write() as session:
        change.apply(session, loader.parse_province(text), actor="founding", at=clock.now())
        held = session.exec(select(RoleAssignment).where(RoleAssignment.person == person)).all()
        for row in held:
            row.until = clock.now() + timedelta(days=20)
        session.flush()
        lapse.tell_roles(session, clock.now())
        assert f"role:{domain}/{role}/{person}" in {one.object for one in duty.waiting(session)}


def test_an_agreement_whose_term_ends_is_told_to_the_post_in_charge(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        session.add(
            Agreement(
                id="share-1",
                title="演练样本",
                giver="bc-czt",
                receiver="bc-rst",
                method="api",
                since=clock.now(),
                until=clock.now() + timedelta(days=6),
                in_charge_post="czt-head",
                operating_post="czt-operations",
                received_by_post="rst-head",
            )
        )
        session.flush()
        lapse.tell_agreements(session, clock.now())
        assert [(one.kind, one.object, one.post, one.stage) for one in duty.waiting(session)] == [
            ("agreement-expiry", "agreement:share-1", "czt-head", "7")
        ]
        clock.advance(days=7)
        lapse.tell_agreements(session, clock.now())
        assert duty.waiting(session) == []


def test_how_things_stand(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        late = raised(session, clock, "czt-operations", "outer-finance")
        clock.advance(hours=2)
        early = raised(session, clock, "bgt-operations", "inner-office")
        whole = status.standing(session, clock.now())
        assert ([one.id for one in whole.red], [one.id for one in whole.next], whole.open) == ([late], [early], 2)
        assert whole.orphans == ()
        alarm = duty.raise_duty(
            session,
            kind="failed-delivery",
            object_="notice:syslog",
            title="not delivered",
            post="xxb-operations",
            domain="management",
            due=None,
            at=clock.now(),
            actor="test",
        )
        assert {one.id for one in status.standing(session, clock.now()).red} == {late, alarm}
        mine = status.standing(session, clock.now(), person="zhu-office")
        assert ([one.id for one in mine.red], [one.id for one in mine.next]) == ([], [early])


def test_what_nobody_answers_for_is_found_in_the_register(province: Database, clock: ManualClock) -> None:
    clock.advance(hours=1)
    with province.write() as session:
        assert orphan.orphans(survey.facts(session, clock.now())) == []
        raised(session, clock, "czt-operations", "outer-finance")
        held = session.exec(select(PostHolding).where(col(PostHolding.post) == "czt-operations")).one()
        held.until = clock.now()
        session.get_one(Person, "li-wen").left_at = clock.now()
        found = {(one.kind, one.identifier) for one in orphan.orphans(survey.facts(session, clock.now()))}
    assert {("post", "czt-operations"), ("domain", "outer-finance"), ("system", "fin-budget")} <= found
    assert {("device", "fin-budget-app"), ("role", "inner-office/document-reader")} <= found
    assert {kind for kind, _ in found} == {"post", "domain", "system", "device", "role", "duty"}
