"""离岗: what the plan says is what happens, nothing is left, and what would leave a gap is refused whole."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, SQLModel, select

from core.database import Database
from core.errors import Malformed, Rejected, TrustError, Unavailable
from core.identity import PersonId
from core.ledger.models import EvidenceRow
from core.registry import appointment, change, leaver, loader, person, role
from core.registry.credential import Credential
from core.registry.errors import HasLeft, LastAdministrator, NoSuccessor, SeparationOfDuties, UnfitSuccessor
from core.registry.leaver import Leaving
from core.registry.models import DomainMembership, Person, PostHolding
from pki.models import Revocation
from tests.clock import ManualClock
from tests.deploy.holdings import HOLDERS, burden, certify
from tests.failing import FailingDatabase, Failure, failing_insert
from tests.people import PROVINCE, enter_province
from tests.services import postgres

ACT = "北辰财任〔2026〕31号 演练样本"
SERIAL = 0x11


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now())
        for person, office in (("he-sysadmin", "system-administrator"), ("lu-security", "security-administrator")):
            role.appoint(session, person=PersonId(person), role=office, giver="bootstrap", at=clock.now())
        role.appoint(session, person=PersonId("wei-auditor"), role="auditor", giver="bootstrap", at=clock.now())
    clock.advance(days=1)
    return database


def leaving(person: str, successor: str = "", **more: object) -> Leaving:
    values: dict[str, object] = {"basis": ACT, "successor": PersonId(successor) if successor else None, **more}
    return Leaving(person=PersonId(person), **values)  # type: ignore[arg-type]  # built from a table


def leave(database: Database, asked: Leaving, at: datetime) -> list[leaver.Item]:
    with database.write() as session:
        return leaver.leave(session, HOLDERS, asked, actor="lu-security", at=at)


def everything(session: Session) -> dict[str, list[object]]:
    return {
        name: sorted(map(tuple, session.exec(table.select())), key=repr)  # type: ignore[call-overload]  # a bare table
        for name, table in SQLModel.metadata.tables.items()
    }


def held(session: Session, person: str, at: datetime) -> list[object]:
    return list(HOLDERS.holdings(session, "person", person, at))


def test_one_act_ends_everything_and_hands_the_posts_over(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        certify(session, "zhou-head", SERIAL, clock.now())
        mine = burden(session, "czt-head", 1, clock.now())
    with province.read() as session:
        planned = leaver.plan(session, HOLDERS, leaving("zhou-head", "zheng-budget"), at=clock.now())
    assert [(one.name, one.successor) for one in planned] == [
        (f"certificate:{SERIAL:040x}", ""),
        (f"duty:{mine}", "zheng-budget"),
        ("membership:inner-office", ""),
        ("membership:outer-finance", ""),
        ("post:czt-head", "zheng-budget"),
        ("role:outer-finance/budget-editor", ""),
    ]
    assert leave(province, leaving("zhou-head", "zheng-budget"), clock.now()) == planned
    with province.read() as session:
        assert held(session, "zhou-head", clock.now()) == []
        assert session.get_one(Person, "zhou-head").left_at == clock.now()
        row = session.get_one(Credential, f"{SERIAL:040x}")
        assert (row.state, row.revocation_reason) == ("revoked", "affiliation-changed")
        assert session.get(Revocation, row.serial) is not None
        post = appointment.current(session, "czt-head")
        assert post is not None
        assert (post.person, post.basis) == ("zheng-budget", ACT)
        types = [one.type for one in session.exec(select(EvidenceRow).order_by(EvidenceRow.row))][-6:]  # type: ignore[arg-type]  # a column
    assert sorted(types) == [
        "pki.certificate.revoked",
        "registry.membership.ended",
        "registry.membership.ended",
        "registry.person.left",
        "registry.post.filled",
        "registry.role.withdrawn",
    ]


def test_each_post_may_have_a_successor_of_its_own(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        appointment.fill(session, "czt-operations", "zhou-head", basis=ACT, actor="lu-security", at=clock.now())
        burden(session, "czt-operations", 1, clock.now())
    clock.advance(days=1)
    asked = leaving("zhou-head", "zheng-budget", items={"post:czt-operations": PersonId("feng-budget")})
    done = leave(province, asked, clock.now())
    followed = {one.kind: one.successor for one in done if one.identifier != "czt-head" and one.successor}
    assert followed == {"post": "feng-budget", "duty": "feng-budget"}


def test_a_post_without_a_successor_is_refused_and_nothing_is_done(province: Database, clock: ManualClock) -> None:
    with province.read() as session:
        before = everything(session)
    with pytest.raises(NoSuccessor, match="czt-head"):
        leave(province, leaving("zhou-head"), clock.now())
    with province.read() as session:
        assert everything(session) == before


@pytest.mark.parametrize("successor", ["zhou-head", "lv-hr", "nobody-here", "shi-hr"])
def test_a_successor_who_cannot_follow_is_refused(province: Database, clock: ManualClock, successor: str) -> None:
    leave(province, leaving("lv-hr"), clock.now())
    with province.write() as session:
        session.get_one(Person, "shi-hr").suspended = True
    expected: type[TrustError] = UnfitSuccessor if successor != "nobody-here" else TrustError
    with pytest.raises(expected, match=successor):
        leave(province, leaving("zhou-head", successor), clock.now())


def test_the_last_administrator_does_not_leave_before_another_is_there(province: Database, clock: ManualClock) -> None:
    with pytest.raises(LastAdministrator) as caught:
        leave(province, leaving("wei-auditor"), clock.now())
    assert "role:site/auditor=" in caught.value.hint
    with pytest.raises(SeparationOfDuties):
        leave(province, leaving("wei-auditor", items={"role:site/auditor": PersonId("lu-security")}), clock.now())
    done = leave(province, leaving("wei-auditor", items={"role:site/auditor": PersonId("dou-public")}), clock.now())
    assert ("role:site/auditor", "dou-public") in [(one.name, one.successor) for one in done]
    with province.read() as session:
        offices = {(person, name) for person, domain, name in role.held(session, clock.now()) if domain == "site"}
    assert ("dou-public", "auditor") in offices
    assert "wei-auditor" not in {person for person, _ in offices}


def test_of_two_administrators_one_may_leave(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        role.appoint(session, person=PersonId("dou-public"), role="auditor", giver="lu-security", at=clock.now())
    leave(province, leaving("wei-auditor"), clock.now())
    with pytest.raises(LastAdministrator):
        leave(province, leaving("dou-public"), clock.now())


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (leaving("zhou-head", "zheng-budget", basis=" "), Malformed),
        (leaving("zhou-head", "zheng-budget", items={"post:bgt-head": PersonId("feng-budget")}), Malformed),
        (leaving("zhou-head", "zheng-budget", items={"certificate:1": PersonId("feng-budget")}), Malformed),
        (leaving("zhou-head", "zheng-budget", since=ManualClock().now() + timedelta(days=2)), Malformed),
        (leaving("nobody-here"), TrustError),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    province: Database, clock: ManualClock, asked: Leaving, error: type[TrustError]
) -> None:
    with pytest.raises(error):
        leave(province, asked, clock.now())
    with province.read() as session:
        assert session.get_one(Person, "zhou-head").left_at is None


def test_whoever_left_is_given_nothing(province: Database, clock: ManualClock) -> None:
    leave(province, leaving("zhou-head", "zheng-budget"), clock.now())
    with pytest.raises(HasLeft):
        leave(province, leaving("zhou-head", "zheng-budget"), clock.now())
    with province.write() as session, pytest.raises(HasLeft):
        role.assign(
            session,
            person=PersonId("zhou-head"),
            domain="outer-finance",
            role="budget-reader",
            giver="lu-security",
            at=clock.now(),
        )
    with province.write() as session, pytest.raises(Rejected, match="zhou-head") as caught:
        file = loader.parse_province(PROVINCE.read_text(encoding="utf-8"))
        change.apply(session, file, actor="lu-security", at=clock.now())
    assert caught.value.word == "has-left"
    with province.read() as session:
        assert held(session, "zhou-head", clock.now()) == []


@pytest.mark.parametrize("how", list(Failure))
def test_a_store_that_fails_does_all_of_it_or_nothing(
    store_url: str, province: Database, clock: ManualClock, how: Failure
) -> None:
    with province.write() as session:
        certify(session, "zhou-head", SERIAL, clock.now())
    with province.read() as session:
        before = everything(session)
    failing = FailingDatabase(store_url)
    failing.arm(1, how)
    with pytest.raises(Unavailable):
        leave(failing, leaving("zhou-head", "zheng-budget"), clock.now())
    failing.close()
    with province.read() as session:
        assert (everything(session) == before) is (how is Failure.NOT_APPLIED)
        assert (held(session, "zhou-head", clock.now()) == []) is (how is Failure.APPLIED)


@pytest.mark.parametrize("table", ["revocation", "post_holding", "evidence"])
def test_one_row_that_cannot_be_written_undoes_all(
    postgres_cluster: postgres.Cluster, clock: ManualClock, table: str
) -> None:
    """The disk is full in the middle, says PostgreSQL."""
    database = Database(postgres_cluster.create())
    SQLModel.metadata.create_all(database.engine)
    with database.write() as session:
        enter_province(session, clock.now() - timedelta(days=1))
        certify(session, "zhou-head", SERIAL, clock.now())
    with database.read() as session:
        before = everything(session)
    with failing_insert(database, table), pytest.raises(Unavailable):
        leave(database, leaving("zhou-head", "zheng-budget"), clock.now())
    with database.read() as session:
        assert everything(session) == before
    leave(database, leaving("zhou-head", "zheng-budget"), clock.now())
    database.close()


def test_of_two_administrators_who_leave_at_once_one_stays(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        role.appoint(session, person=PersonId("dou-public"), role="auditor", giver="lu-security", at=clock.now())

    def go(person: str) -> str:
        try:
            leave(province, leaving(person), clock.now())
        except LastAdministrator:
            return "stays"
        return "left"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(go, ("wei-auditor", "dou-public"))) == ["left", "stays"]
    with province.read() as session:
        assert sum(name == "auditor" for _, domain, name in role.held(session, clock.now()) if domain == "site") == 1


def test_leaving_and_being_given_a_role_at_once_leaves_nothing(province: Database, clock: ManualClock) -> None:
    def give(number: int) -> str:
        try:
            with province.write() as session:
                # Seen before: what is seen again must not be what was.
                person.get(session, PersonId("li-wen"))
                role.assign(
                    session,
                    person=PersonId("li-wen"),
                    domain="outer-finance",
                    role=f"reader-{number}",
                    giver="lu-security",
                    at=clock.now(),
                )
        except HasLeft:
            return "refused"
        return "given"

    with ThreadPoolExecutor(4) as threads:
        giving = threads.map(give, range(6))
        threads.submit(leave, province, leaving("li-wen"), clock.now()).result()
        assert set(giving) <= {"given", "refused"}
    with province.read() as session:
        assert held(session, "li-wen", clock.now()) == []


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_plan_is_what_happens(data: st.DataObject, sqlite_province: Database, clock: ManualClock) -> None:
    at = clock.now()
    posts = data.draw(st.sets(st.sampled_from(["czt-head", "czt-operations", "bgt-head", "xxb-operations"])))
    domains = data.draw(st.sets(st.sampled_from(["outer-finance", "inner-office", "exchange"])))
    roles = data.draw(st.sets(st.sampled_from(["budget-reader", "budget-editor"])))
    certificates = data.draw(st.integers(0, 3))
    with sqlite_province.read() as session:
        for post in sorted(posts):
            appointment.fill(session, post, "chen-dev", basis=ACT, actor="test", at=at - timedelta(hours=1))
        for domain in sorted(domains):
            session.merge(DomainMembership(person="chen-dev", domain=domain))
        for name in sorted(roles):
            role.assign(session, person=PersonId("chen-dev"), domain="outer-finance", role=name, giver="test", at=at)
        for number in range(certificates):
            certify(session, "chen-dev", number + 1, at, days=data.draw(st.integers(-3, 3)))
        for number, post in enumerate(sorted(posts)):
            burden(session, post, number, at)
        default = data.draw(st.sampled_from(["", "zheng-budget"]))
        named = data.draw(st.sets(st.sampled_from(sorted(posts)))) if posts else set()
        asked = leaving("chen-dev", default, items={f"post:{post}": PersonId("feng-budget") for post in named})
        try:
            planned = leaver.plan(session, HOLDERS, asked, at=at)
        except NoSuccessor:
            assert not default
            assert posts - named
            return
        assert leaver.leave(session, HOLDERS, asked, actor="lu-security", at=at) == planned
        assert held(session, "chen-dev", at) == []
        for post in posts:
            now = session.exec(select(PostHolding).where(PostHolding.post == post, PostHolding.until == None)).one()  # noqa: E711  # SQL
            assert now.person == ("feng-budget" if post in named else "zheng-budget")


@pytest.fixture
def sqlite_province(sqlite_database: Database, clock: ManualClock) -> Database:
    with sqlite_database.write() as session:
        enter_province(session, clock.now() - timedelta(days=1))
    return sqlite_database
