"""Two people, always two, whatever happened meanwhile; what is not agreed on is not done."""

import threading

import pytest
from sqlmodel import select

from core.approval.errors import NobodyCanApprove, NotWaiting, NotYours, UnknownAct, UnknownApproval
from core.database import Database
from core.errors import Malformed, NotFound, Rejected, TrustError, Unauthenticated, Unavailable
from core.identity import PersonId, Serial
from core.registry import credential, role
from core.registry.models import Person, PostHolding, RoleAssignment
from core.signed import BadSignature
from tests.clock import ManualClock
from tests.core.approval.desk import AUDITOR, FINANCE, HEAD, OPERATOR, SECURITY, SYSTEM, Desk, opened
from tests.failing import FailingDatabase, Failure


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> Desk:
    return opened(database, clock)


@pytest.fixture
def sqlite_desk(sqlite_database: Database, clock: ManualClock) -> Desk:
    return opened(sqlite_database, clock)


def test_one_proposes_another_approves_and_it_is_done(desk: Desk) -> None:
    row = desk.propose()
    assert (row.state, desk.world.done) == ("waiting", [])
    desk.clock.advance(minutes=1)
    done = desk.approve(SYSTEM, row)
    assert (done.state, desk.world.done) == ("done", [(SECURITY, SYSTEM)])
    assert desk.records("approval.") == [
        ("approval.proposal.made", SECURITY, "done"),
        ("approval.proposal.approved", SYSTEM, "done"),
        ("approval.act.carried-out", SYSTEM, "done"),
    ]
    assert desk.records("test.") == [("test.thing.begun", SYSTEM, "done")]


@pytest.mark.parametrize(
    ("who", "rule"),
    [(SECURITY, "own-act"), ("li-wen", "named-approver"), (OPERATOR, "named-approver"), (HEAD, "named-approver")],
)
def test_nobody_else_decides(sqlite_desk: Desk, who: str, rule: str) -> None:
    row = sqlite_desk.propose()
    sqlite_desk.clock.advance(minutes=1)
    for act in (sqlite_desk.approve, sqlite_desk.return_, sqlite_desk.reject):
        with pytest.raises(NotYours) as refused:
            act(who, row)
        assert refused.value.rule.startswith(f"{rule} ")
        assert refused.value.about == f"approval:{row.id}"
    assert (sqlite_desk.state(row), sqlite_desk.world.done) == ("waiting", [])


@pytest.mark.parametrize("who", ["li-wen", SYSTEM, AUDITOR, HEAD])
def test_nobody_else_proposes(sqlite_desk: Desk, who: str) -> None:
    with pytest.raises(NotYours) as refused:
        sqlite_desk.propose(who)
    assert refused.value.rule.startswith("named-proposer ")


def test_officers_of_the_domain_concerned_and_of_no_other(sqlite_desk: Desk) -> None:
    row = sqlite_desk.propose(OPERATOR, {"thing": "1", "domain": FINANCE})
    sqlite_desk.clock.advance(minutes=1)
    assert sqlite_desk.approve(HEAD, row).state == "done"
    with pytest.raises(NotYours):
        sqlite_desk.propose(OPERATOR, {"thing": "1", "domain": "inner-office"})


def test_a_vacant_post_keeps_nobody_else_from_deciding(sqlite_desk: Desk) -> None:
    with sqlite_desk.database.write() as session:
        held = session.exec(select(PostHolding).where(PostHolding.person == OPERATOR)).one()
        held.until = sqlite_desk.clock.now()
        session.add(held)
    sqlite_desk.clock.advance(minutes=1)
    row = sqlite_desk.propose(body={"thing": "1", "domain": FINANCE})
    assert sqlite_desk.approve(HEAD, row).state == "done"
    with pytest.raises(NotYours):
        sqlite_desk.propose(OPERATOR, {"thing": "2", "domain": FINANCE})


def test_below_its_level_one_person_is_enough(sqlite_database: Database, clock: ManualClock) -> None:
    desk = opened(sqlite_database, clock, level=5)
    row = desk.propose(OPERATOR, {"thing": "1", "domain": FINANCE})
    assert (row.state, row.needed, desk.world.done) == ("done", 0, [(OPERATOR, OPERATOR)])
    clock.advance(minutes=1)
    assert desk.propose(SECURITY).state == "waiting"


def test_whom_it_concerns_does_not_decide(sqlite_desk: Desk) -> None:
    row = sqlite_desk.propose(body={"thing": "1", "excluded": SYSTEM})
    with pytest.raises(NotYours) as refused:
        sqlite_desk.approve(SYSTEM, row)
    assert refused.value.rule.startswith("concerned-person ")
    assert sqlite_desk.approve(AUDITOR, row).state == "done"


def test_an_excluded_office_neither_proposes_nor_decides(sqlite_database: Database, clock: ManualClock) -> None:
    desk = opened(sqlite_database, clock, exclude=("role:auditor",))
    row = desk.propose()
    with pytest.raises(NotYours):
        desk.approve(AUDITOR, row)
    assert desk.approve(SYSTEM, row).state == "done"


def test_two_approvers_are_two_people(desk: Desk) -> None:
    two = opened_with_two(desk)
    row = two.propose()
    assert two.approve(SYSTEM, row).state == "waiting"
    two.clock.advance(seconds=1)
    with pytest.raises(NotYours, match="agreed already"):
        two.approve(SYSTEM, row)
    assert two.world.done == []
    assert two.approve(AUDITOR, row).state == "done"
    assert two.world.done == [(SECURITY, AUDITOR)]


def opened_with_two(desk: Desk) -> Desk:
    ruling, act = desk.acts.get("test.thing.done")
    twice = ruling.model_copy(update={"approvers": 2})
    return Desk(desk.database, desk.clock, type(desk.acts)([twice], [act]), desk.world, desk.people)


def test_the_first_of_two_approvers_left_office_meanwhile(sqlite_desk: Desk) -> None:
    two = opened_with_two(sqlite_desk)
    row = two.propose()
    two.approve(SYSTEM, row)
    end_role(two, SYSTEM, "system-administrator")
    with pytest.raises(NotYours):
        two.approve(AUDITOR, row)
    assert (two.state(row), two.world.done) == ("waiting", [])


def end_role(desk: Desk, who: str, name: str) -> None:
    desk.clock.advance(minutes=1)
    with desk.database.write() as session:
        role.withdraw(session, person=PersonId(who), domain="site", role=name, actor="x", at=desk.clock.now())
    desk.clock.advance(minutes=1)


def revoke(desk: Desk, who: str) -> None:
    with desk.database.write() as session:
        held = credential.get(session, Serial(desk.people[who].serial))
        held.state = "revoked"
        session.add(held)


def suspend(desk: Desk, who: str) -> None:
    with desk.database.write() as session:
        human = session.get(Person, who)
        assert human is not None
        human.suspended = True
        session.add(human)


def tamper(desk: Desk, who: str) -> None:
    """A second office of the three, by somebody's hand in the database."""
    with desk.database.write() as session:
        other = "auditor" if who != AUDITOR else "system-administrator"
        session.add(RoleAssignment(person=who, domain="site", role=other, since=desk.clock.now(), giver="hand"))


@pytest.mark.parametrize("who", [SECURITY, SYSTEM])
@pytest.mark.parametrize("meanwhile", [revoke, suspend, tamper])
def test_rights_are_looked_at_again_as_it_is_done(sqlite_desk: Desk, who: str, meanwhile: object) -> None:
    row = sqlite_desk.propose()
    assert callable(meanwhile)
    meanwhile(sqlite_desk, who)
    sqlite_desk.clock.advance(minutes=1)
    with pytest.raises(NotYours) as refused:
        sqlite_desk.approve(SYSTEM, row)
    expected = {revoke: "named", suspend: "named", tamper: "three-administrators"}[meanwhile]
    assert refused.value.rule.startswith(expected)
    assert (sqlite_desk.state(row), sqlite_desk.world.done) == ("waiting", [])


@pytest.mark.parametrize(("who", "office"), [(SECURITY, "security-administrator"), (SYSTEM, "system-administrator")])
def test_a_role_that_ended_meanwhile(sqlite_desk: Desk, who: str, office: str) -> None:
    row = sqlite_desk.propose()
    end_role(sqlite_desk, who, office)
    with pytest.raises(NotYours):
        sqlite_desk.approve(SYSTEM, row)
    assert sqlite_desk.world.done == []


def test_the_world_changed_nothing_is_half_done(desk: Desk) -> None:
    row = desk.propose()
    desk.world.refuses = "the thing is gone"
    failed = desk.approve(SYSTEM, row)
    assert (failed.state, failed.result) == ("failed", "the thing is gone")
    assert desk.records("test.") == []
    assert desk.records()[-1] == ("approval.act.failed", SYSTEM, "refused")
    desk.clock.advance(minutes=1)
    with pytest.raises(NotWaiting, match="failed"):
        desk.approve(AUDITOR, row)


def test_what_would_be_refused_is_not_even_proposed(sqlite_desk: Desk) -> None:
    sqlite_desk.world.refuses = "never"
    with pytest.raises(Rejected, match="never"):
        sqlite_desk.propose()
    assert sqlite_desk.records() == []


def test_returned_corrected_and_done_with_its_history(desk: Desk) -> None:
    row = desk.propose()
    desk.clock.advance(minutes=1)
    assert desk.return_(AUDITOR, row).state == "returned"
    with pytest.raises(NotWaiting, match="returned"):
        desk.approve(SYSTEM, row)
    with pytest.raises(NotYours):
        desk.resubmit(SYSTEM, row, {"thing": "1", "better": True})
    with pytest.raises(Rejected, match="same object"):
        desk.resubmit(SECURITY, row, {"thing": "2"})
    desk.clock.advance(minutes=1)
    again = desk.resubmit(SECURITY, row, {"thing": "1", "better": True})
    assert (again.id, again.state, again.revision) == (row.id, "waiting", 2)
    with pytest.raises(BadSignature):
        # Signed on the first revision, which is not what waits any more.
        desk.approve(SYSTEM, row)
    assert desk.approve(SYSTEM, again).state == "done"
    assert [kind for kind, _, _ in desk.records()] == [
        "approval.proposal.made",
        "approval.proposal.returned",
        "approval.proposal.resubmitted",
        "approval.proposal.approved",
        "approval.act.carried-out",
    ]


def test_rejected_and_withdrawn_are_the_end(sqlite_desk: Desk) -> None:
    first = sqlite_desk.propose()
    assert sqlite_desk.reject(AUDITOR, first).state == "rejected"
    sqlite_desk.clock.advance(minutes=1)
    second = sqlite_desk.propose()
    with pytest.raises(NotYours):
        sqlite_desk.withdraw(SYSTEM, second)
    assert sqlite_desk.withdraw(SECURITY, second).state == "withdrawn"
    sqlite_desk.clock.advance(minutes=1)
    for row in (first, second):
        with pytest.raises(NotWaiting):
            sqlite_desk.approve(SYSTEM, row)
    with pytest.raises(NotWaiting):
        sqlite_desk.withdraw(SECURITY, first)
    assert sqlite_desk.world.done == []


def test_nothing_is_withdrawn_with_a_revoked_certificate(sqlite_desk: Desk) -> None:
    row = sqlite_desk.propose()
    revoke(sqlite_desk, SECURITY)
    with pytest.raises(Unauthenticated, match="not good any more"):
        sqlite_desk.withdraw(SECURITY, row)
    assert (sqlite_desk.state(row), len(sqlite_desk.records())) == ("waiting", 1)


def test_expired_even_before_anybody_notes_it(desk: Desk) -> None:
    row = desk.propose()
    desk.clock.advance(hours=24)
    with pytest.raises(NotWaiting, match="expired"):
        desk.approve(SYSTEM, row)
    assert desk.expire() == 1
    assert desk.expire() == 0
    assert desk.state(row) == "expired"
    assert desk.records()[-1] == ("approval.proposal.expired", "installation", "done")


def test_the_last_moment_counts(sqlite_desk: Desk) -> None:
    row = sqlite_desk.propose()
    sqlite_desk.clock.advance(hours=24, milliseconds=-1)
    assert sqlite_desk.expire() == 0
    assert sqlite_desk.approve(SYSTEM, row).state == "done"


def test_the_same_signed_text_again_is_no_news(desk: Desk) -> None:
    row = desk.propose()
    assert desk.propose().id == row.id
    assert desk.approve(SYSTEM, row).state == "done"
    assert desk.approve(SYSTEM, row).state == "done"
    assert len(desk.world.done) == 1
    assert len(desk.records()) == 3


def test_a_signature_made_for_one_proposal_is_none_for_another(sqlite_desk: Desk) -> None:
    first = sqlite_desk.propose()
    sqlite_desk.clock.advance(milliseconds=1)
    second = sqlite_desk.propose(body={"thing": "2"})
    with pytest.raises(BadSignature):
        sqlite_desk.approve(SYSTEM, first, to=second.id)
    assert sqlite_desk.world.done == []


def test_nobody_could_decide(sqlite_desk: Desk) -> None:
    for who, office in ((SYSTEM, "system-administrator"), (AUDITOR, "auditor")):
        end_role(sqlite_desk, who, office)
    with pytest.raises(NobodyCanApprove):
        sqlite_desk.propose()


@pytest.mark.parametrize(
    ("body", "act", "error"),
    [
        ({"thing": "x" * 20_000}, "test.thing.done", Malformed),
        ({"thing": "1\0"}, "test.thing.done", Malformed),
        ({"thing": 1.5}, "test.thing.done", Malformed),
        ({"thing": "1"}, "test.thing.undone", UnknownAct),
        ({"thing": "1", "domain": "nowhere"}, "test.thing.done", NotFound),
    ],
)
def test_bad_proposals_are_refused(sqlite_desk: Desk, body: dict[str, object], act: str, error: type) -> None:
    with pytest.raises(error):
        sqlite_desk.propose(body=body, act=act)  # type: ignore[arg-type]  # what a client may send
    assert sqlite_desk.records() == []


def test_unknown_proposal(sqlite_desk: Desk) -> None:
    row = sqlite_desk.propose()
    with pytest.raises(UnknownApproval):
        sqlite_desk.approve(SYSTEM, row, to="0" * 32)


def test_two_approvers_at_once_do_it_once(desk: Desk) -> None:
    row = desk.propose()
    ready, outcomes = threading.Barrier(2), list[str]()

    def go(who: str) -> None:
        ready.wait()
        try:
            outcomes.append(desk.approve(who, row).state)
        except TrustError as refused:
            outcomes.append(refused.word)

    threads = [threading.Thread(target=go, args=(who,)) for who in (SYSTEM, AUDITOR)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "not-waiting"]
    assert len(desk.world.done) == 1


def test_approve_and_withdraw_at_once_end_one_way(desk: Desk) -> None:
    row = desk.propose()
    ready, outcomes = threading.Barrier(2), list[str]()

    def go(act: object, who: str) -> None:
        ready.wait()
        assert callable(act)
        try:
            outcomes.append(act(who, row).state)
        except TrustError as refused:
            outcomes.append(refused.word)

    threads = [threading.Thread(target=go, args=pair) for pair in ((desk.approve, SYSTEM), (desk.withdraw, SECURITY))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "not-waiting" in outcomes
    assert len(desk.world.done) == (1 if "done" in outcomes else 0)
    assert desk.state(row) in outcomes


@pytest.mark.parametrize("who", [SECURITY, SYSTEM])
def test_who_left_meanwhile(sqlite_desk: Desk, who: str) -> None:
    row = sqlite_desk.propose()
    with sqlite_desk.database.write() as session:
        human = session.get_one(Person, who)
        human.left_at = sqlite_desk.clock.now()
        session.add(human)
    sqlite_desk.clock.advance(minutes=1)
    with pytest.raises(NotYours):
        sqlite_desk.approve(SYSTEM, row)
    assert (sqlite_desk.state(row), sqlite_desk.world.done) == ("waiting", [])


@pytest.mark.parametrize("how", list(Failure))
def test_a_commit_that_fails_is_repeated_with_the_same_signature(
    store_url: str, clock: ManualClock, database: Database, how: Failure
) -> None:
    """Not applied: nothing was done, and the same signed text does it. Applied: it finds that it is done."""
    desk = opened(database, clock)
    row = desk.propose()
    broken = FailingDatabase(store_url)
    again = Desk(broken, clock, desk.acts, desk.world, desk.people)
    broken.arm(1, how)
    with pytest.raises(Unavailable):
        again.approve(SYSTEM, row)
    broken.close()
    assert desk.state(row) == ("waiting" if how is Failure.NOT_APPLIED else "done")
    assert len(desk.records()) == (1 if how is Failure.NOT_APPLIED else 3)
    assert desk.approve(SYSTEM, row).state == "done"
    assert len(desk.records()) == 3
    assert desk.records("test.") == [("test.thing.begun", SYSTEM, "done")]
