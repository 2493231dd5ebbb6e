"""Applying a province: only what differs is changed and recorded, nothing is half-done, history is kept."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from core.database import Database
from core.identity import DomainId, PersonId, SystemId
from core.ledger.models import EvidenceRow
from core.registry import change, domain, loader, responsibility, role, summary
from core.registry.change import Change
from core.registry.errors import NoOfficer, NotInRegister
from core.registry.models import AddressRange, DomainMembership, Person, PostHolding, RoleAssignment, SecurityDomain
from tests.clock import ManualClock
from tests.core.registry.files import SOUND, changed


def apply(database: Database, text: str, at: datetime) -> Change:
    with database.write() as session:
        return change.apply(session, loader.parse_province(text), actor="zhao-min", at=at)


def recorded(session: Session) -> list[tuple[str, str]]:
    rows = session.exec(select(EvidenceRow).order_by(col(EvidenceRow.row)))
    return [(row.type, row.object) for row in rows]


def test_the_first_file_enters_everything_and_records_it(database: Database, clock: ManualClock) -> None:
    made = apply(database, SOUND, clock.now())
    assert len(made.added) == 2 + 2 + 2 + 3 + 1 + 1
    assert made.missing == ()
    with database.read() as session:
        told = recorded(session)
        assert told.count(("registry.person.entered", "person:li-wen")) == 1
        assert ("registry.post.filled", "post:fin-head") in told
        assert told[-1] == ("registry.province.applied", "register:province")
        assert domain.find_by_address(session, "10.20.3.4") == session.get(SecurityDomain, "outer-fin")


def test_the_same_file_again_changes_and_records_nothing(database: Database, clock: ManualClock) -> None:
    apply(database, SOUND, clock.now())
    with database.read() as session:
        before = recorded(session)
    clock.advance(hours=1)
    again = apply(database, SOUND, clock.now())
    assert again.is_empty
    assert again == Change((), (), ())
    with database.read() as session:
        assert recorded(session) == before
        assert len(session.exec(select(PostHolding)).all()) == 2


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("name: 孙静", "name: 孙敬", "person:sun-jing"),
        ("level: 3", "level: 4", "domain:outer-fin"),
        ("[10.20.0.0/16,", "[10.21.0.0/16,", "domain:outer-fin"),
        ("addresses: [10.20.0.0/16,", "addresses: [10.20.0.0/16, 10.22.0.0/16,", "domain:outer-fin"),
        ("member_of: [outer-fin]", "member_of: [outer-fin, outer-pub]", "person:li-wen"),
        ("member_of: [outer-fin]", "member_of: []", "person:li-wen"),
        ('["outer-fin:reader"]', '["outer-fin:editor"]', "person:li-wen"),
        ('["outer-fin:reader"]', "[]", "person:li-wen"),
        ("name: 预算,", "name: 决算,", "system:budget"),
        ("name: 网关,", "name: 网关二,", "device:gate"),
        ("title: 运行,", "title: 运行组长,", "post:fin-ops"),
    ],
)
def test_one_difference_is_one_change(database: Database, clock: ManualClock, old: str, new: str, what: str) -> None:
    apply(database, SOUND, clock.now())
    clock.advance(hours=1)
    made = apply(database, changed(old, new), clock.now())
    assert (made.added, made.changed) == ((), (what,))
    kind, identifier = what.split(":")
    with database.read() as session:
        assert recorded(session)[-2:] == [
            (f"registry.{kind}.changed", f"{kind}:{identifier}"),
            ("registry.province.applied", "register:province"),
        ]
    assert apply(database, changed(old, new), clock.now()).is_empty


def test_what_the_file_leaves_out_is_told_and_stays(database: Database, clock: ManualClock) -> None:
    apply(database, SOUND, clock.now())
    text = "\n".join(line for line in SOUND.split("\n") if "sun-jing" not in line)
    assert apply(database, text, clock.now()) == Change((), (), ("person:sun-jing",))
    with database.read() as session:
        assert session.get(Person, "sun-jing") is not None


def test_an_address_range_moves_with_the_file(database: Database, clock: ManualClock) -> None:
    apply(database, SOUND, clock.now())
    text = SOUND.replace('    addresses: [10.20.0.0/16, "fd00:20::/64"]\n', "").replace(
        "name_space: pub.example\n", "name_space: pub.example\n    addresses: [10.20.0.0/16]\n"
    )
    assert set(apply(database, text, clock.now()).changed) == {"domain:outer-fin", "domain:outer-pub"}
    with database.read() as session:
        rows = session.exec(select(AddressRange)).all()
    assert [(row.cidr, row.domain) for row in rows] == [("10.20.0.0/16", "outer-pub")]


def test_suspension_is_an_act_of_its_own_and_not_the_files_to_lift(database: Database, clock: ManualClock) -> None:
    apply(database, SOUND, clock.now())
    with database.write() as session:
        person = session.get_one(Person, "li-wen")
        person.suspended = True
        session.add(person)
    assert apply(database, SOUND, clock.now()).is_empty
    with database.read() as session:
        assert session.get_one(Person, "li-wen").suspended


def test_who_answered_when(database: Database, clock: ManualClock) -> None:
    """A post that changes hands is answered for by whoever held it at the time asked for."""
    began = clock.now()
    apply(database, SOUND, began)
    clock.advance(days=10)
    apply(database, changed("holder: li-wen", "holder: sun-jing"), clock.now())
    with database.read() as session:
        for at, person in (
            (began, "li-wen"),
            (clock.now() - timedelta(milliseconds=1), "li-wen"),
            (clock.now(), "sun-jing"),
            (clock.now() + timedelta(days=400), "sun-jing"),
        ):
            found = responsibility.officers(session, system=SystemId("budget"), at=at)
            assert (found.in_charge.person, found.operating.person) == (person, "wang-fang")
            assert responsibility.officers(session, domain=DomainId("outer-fin"), at=at) == found
        assert str(found.in_charge) == "孙静 (财政厅 主管)"
        with pytest.raises(NotInRegister, match="no system `budget` is in the register at that time"):
            responsibility.officers(session, system=SystemId("budget"), at=began - timedelta(microseconds=1))
        with pytest.raises(NoOfficer, match="nobody held the post `fin-head`"):
            responsibility.holder(session, "fin-head", began - timedelta(microseconds=1))
        with pytest.raises(NotInRegister):
            responsibility.officers(session, system=SystemId("nothing"), at=began)
        with pytest.raises(NotInRegister):
            responsibility.officers(session, domain=DomainId("nowhere"), at=began)


def test_a_role_taken_out_of_the_file_ended_and_was_held_before(database: Database, clock: ManualClock) -> None:
    began = clock.now()
    apply(database, SOUND, began)
    clock.advance(days=1)
    apply(database, changed('["outer-fin:reader"]', '["outer-fin:editor"]'), clock.now())
    with database.read() as session:
        assert role.roles(session, PersonId("li-wen"), began) == {("outer-fin", "reader")}
        assert role.roles(session, PersonId("li-wen"), clock.now()) == {("outer-fin", "editor")}
        assert [
            (row.role, row.giver) for row in session.exec(select(RoleAssignment).order_by(col(RoleAssignment.number)))
        ] == [
            ("reader", "zhao-min"),
            ("editor", "zhao-min"),
        ]


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("budget", "system"),
        ("outer-fin", "domain"),
        ("10.20.255.255", "domain"),
        ("fd00:20::1", "domain"),
        ("li-wen", "person"),
    ],
)
def test_whatever_is_in_hand_leads_to_who_answers(database: Database, clock: ManualClock, what: str, key: str) -> None:
    apply(database, SOUND, clock.now())
    with database.read() as session:
        told = summary.find_responsible(session, what, clock.now())
    assert next(iter(told)) == key
    assert (told["in_charge"], told["operating"]) == ("主管 李文 (财政厅 主管)", "运行 王芳 (财政厅 运行)")


@pytest.mark.parametrize("what", ["", "nobody", "10.99.0.1", "10.20.0.0/16", "999.1.1.1", "::1%eth0", "0" * 5000])
def test_what_is_not_in_the_register_is_told_so(database: Database, clock: ManualClock, what: str) -> None:
    apply(database, SOUND, clock.now())
    with database.read() as session, pytest.raises(NotInRegister):
        summary.find_responsible(session, what, clock.now())


def test_a_failing_file_leaves_nothing(database: Database, clock: ManualClock) -> None:
    """A crash in the middle: the whole file is one transaction, with its records."""
    with pytest.raises(RuntimeError), database.write() as session:
        change.apply(session, loader.parse_province(SOUND), actor="zhao-min", at=clock.now())
        raise RuntimeError("the power went")
    with database.read() as session:
        assert session.exec(select(Person)).all() == []
        assert recorded(session) == []


def test_two_files_at_once_leave_one_holder_for_each_post(database: Database, clock: ManualClock) -> None:
    apply(database, SOUND, clock.now())
    clock.advance(hours=1)
    texts = [changed("holder: li-wen", f"holder: {who}") for who in ("sun-jing", "wang-fang")] * 2
    threads = [threading.Thread(target=apply, args=(database, text, clock.now())) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        open_ = session.exec(select(PostHolding).where(col(PostHolding.until).is_(None))).all()
    assert sorted(row.post for row in open_) == ["fin-head", "fin-ops"]


def test_memberships_follow_the_file(database: Database, clock: ManualClock) -> None:
    apply(database, SOUND, clock.now())
    apply(database, changed("member_of: [outer-fin]", "member_of: [outer-pub]"), clock.now())
    with database.read() as session:
        assert [(row.person, row.domain) for row in session.exec(select(DomainMembership))] == [("li-wen", "outer-pub")]


def test_two_domains_change_names_with_each_other(database: Database, clock: ManualClock) -> None:
    apply(database, SOUND, clock.now())
    text = SOUND.replace("fin.example", "x.example").replace("pub.example", "fin.example")
    text = text.replace("x.example", "pub.example")
    assert set(apply(database, text, clock.now()).changed) == {"domain:outer-fin", "domain:outer-pub"}
    with database.read() as session:
        assert session.get_one(SecurityDomain, "outer-fin").name_space == "pub.example"
