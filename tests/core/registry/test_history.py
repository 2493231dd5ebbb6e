"""What the register said when: at the boundaries to the microsecond, after handovers, after endings, after leaving."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from core.database import Database
from core.errors import Malformed
from core.identity import DomainId, PersonId, PostId, SystemId
from core.ledger.models import EvidenceRow
from core.registry import (
    change,
    changeset,
    difference,
    handover,
    history,
    leaver,
    loader,
    responsibility,
    role,
    summary,
    view,
)
from core.registry.errors import BadHandover, HasLeft, NoOfficer, NotInRegister, RegisterRejected
from core.registry.handover import Order
from core.registry.holding import Holders
from core.registry.leaver import Leaving
from core.registry.models import Person
from core.registry.province import DomainEntry, OrganisationEntry
from core.registry.tenure import Tenure
from tests.clock import ManualClock
from tests.core.registry.files import SOUND, changed

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def sound(database: Database, clock: ManualClock) -> Database:
    apply(database, SOUND, clock.now())
    clock.advance(days=1)
    return database


def apply(database: Database, text: str, at: datetime) -> None:
    with database.write() as session:
        change.apply(session, loader.parse_province(text), actor="zhao-min", at=at)


def apply_set(database: Database, text: str, at: datetime) -> None:
    with database.write() as session:
        asked = changeset.parse_change_set(text, history.whole(session, at))
        change.apply(session, asked.wanted, actor="zhao-min", at=at, ends=asked.ends, basis=asked.basis)


def hand_over(
    database: Database, to: str, now: datetime, since: datetime | None = None, post: str = "fin-head"
) -> None:
    with database.write() as session:
        order = Order(PostId(post), PersonId(to), "任〔2026〕8号", since)
        handover.hand_over(session, order, actor="lu-an", now=now)


def in_charge(session: Session, at: datetime) -> str:
    return responsibility.officers(session, system=SystemId("budget"), at=at).in_charge.person


def test_who_was_responsible_before_during_and_after_a_handover_and_after_leaving(
    sound: Database, clock: ManualClock
) -> None:
    """The question of the mission, at every boundary."""
    began, turned = clock.now() - timedelta(days=1), clock.now()
    hand_over(sound, "sun-jing", turned)
    clock.advance(days=30)
    left = clock.now()
    with sound.write() as session:
        asked = Leaving(person=PersonId("li-wen"), basis="调离", successor=PersonId("wang-fang"))
        leaver.leave(session, Holders((Tenure(),)), asked, actor="lu-an", at=left)
    clock.advance(days=400)
    with sound.read() as session:
        for at, who in (
            (began, "li-wen"),
            (turned - MOMENT, "li-wen"),
            (turned, "sun-jing"),
            (turned + MOMENT, "sun-jing"),
            (left, "sun-jing"),
            (clock.now(), "sun-jing"),
        ):
            assert in_charge(session, at) == who, at
        told = summary.find_responsible(session, "budget", turned - MOMENT)
        assert told["in_charge"] == "主管 李文 (财政厅 主管)"
        assert told["in_charge_basis"] == "任〔2025〕1号"
        assert summary.find_responsible(session, "budget", turned)["in_charge_basis"] == "任〔2026〕8号"
        with pytest.raises(NotInRegister):
            in_charge(session, began - MOMENT)
        assert summary.find_responsible(session, "li-wen", left - MOMENT)["person"] == "li-wen 李文"
        with pytest.raises(NotInRegister):
            summary.find_responsible(session, "li-wen", left)
        shown = view.entry(session, "person", "li-wen", clock.now())
        assert shown["left_at"] == left.isoformat()
        assert "left_at" not in view.entry(session, "person", "li-wen", left - MOMENT)
        assert [one["changed"] for one in view.changes(session, "person", "li-wen")] == [["entered"], ["left"]]


def test_leaving_by_an_earlier_act_names_the_successor_from_then_on(sound: Database, clock: ManualClock) -> None:
    """Nobody who had left is named for the time since; and nobody leaves before they came."""
    began, now = clock.now() - timedelta(days=1), clock.now()
    left = now - timedelta(hours=5, microseconds=7)
    for since, words in ((began - MOMENT, "was not in the register"), (began, "holds the post `fin-head` since")):
        asked = Leaving(PersonId("li-wen"), "调离", successor=PersonId("sun-jing"), since=since)
        with sound.write() as session, pytest.raises(Malformed, match=words):
            leaver.leave(session, Holders((Tenure(),)), asked, actor="lu-an", at=now)
    with sound.write() as session:
        asked = Leaving(PersonId("li-wen"), "调离", successor=PersonId("sun-jing"), since=left)
        leaver.leave(session, Holders((Tenure(),)), asked, actor="lu-an", at=now)
    with sound.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "registry.person.left")).one()
        assert left.isoformat() in row.content.decode()
        assert [in_charge(session, at) for at in (began, left - MOMENT, left, now)] == [
            "li-wen", "li-wen", "sun-jing", "sun-jing",
        ]  # fmt: skip


def test_a_successor_who_came_later_does_not_follow_from_an_earlier_time(sound: Database, clock: ManualClock) -> None:
    left = clock.now() - timedelta(hours=5)
    apply_set(
        sound,
        "basis: x\nadd: {people: [{id: new-one, name: 新, organisation: fin, domain: outer-fin}]}\n",
        clock.now(),
    )
    asked = Leaving(PersonId("li-wen"), "调离", successor=PersonId("new-one"), since=left)
    with sound.write() as session, pytest.raises(Malformed, match="`new-one` was not in the register"):
        leaver.leave(session, Holders((Tenure(),)), asked, actor="lu-an", at=clock.now())


def test_a_leaver_holds_no_post_and_is_given_none(sound: Database, clock: ManualClock) -> None:
    with sound.write() as session:
        asked = Leaving(person=PersonId("sun-jing"), basis="调离")
        leaver.leave(session, Holders((Tenure(),)), asked, actor="lu-an", at=clock.now())
    clock.advance(days=1)
    with pytest.raises(HasLeft):
        hand_over(sound, "sun-jing", clock.now())
    with pytest.raises(RegisterRejected, match="sun-jing") as refused:
        apply(sound, changed("holder: wang-fang}", "holder: sun-jing}"), clock.now())
    assert refused.value.word == "has-left"
    assert {fault.line for fault in refused.value.faults} == {7, 37}


def test_a_suspended_person_is_given_no_post(sound: Database, clock: ManualClock) -> None:
    with sound.write() as session:
        session.get_one(Person, "sun-jing").suspended = True
    with pytest.raises(BadHandover, match="suspended"):
        hand_over(sound, "sun-jing", clock.now())
    with pytest.raises(RegisterRejected, match="suspended") as refused:
        apply(sound, changed("holder: wang-fang}", "holder: sun-jing}"), clock.now())
    assert [(fault.line, fault.field) for fault in refused.value.faults] == [(7, "holder")]


def test_a_suspended_person_keeps_their_roles_and_is_given_none(sound: Database, clock: ManualClock) -> None:
    with sound.write() as session:
        session.get_one(Person, "li-wen").suspended = True
    apply(sound, changed("name: 李文", "name: 李雯"), clock.now())
    text = changed('["outer-fin:reader"]', '["outer-fin:reader", "outer-pub:editor"]')
    with pytest.raises(RegisterRejected, match="cannot be given the role `editor` in `outer-pub`") as refused:
        apply(sound, text, clock.now())
    assert [fault.field for fault in refused.value.faults] == ["roles"]
    with sound.read() as session:
        assert role.roles(session, PersonId("li-wen"), clock.now()) == {("outer-fin", "reader")}


def test_whether_somebody_is_suspended_is_said_of_the_present_alone(sound: Database, clock: ManualClock) -> None:
    with sound.write() as session:
        session.get_one(Person, "li-wen").suspended = True
        now = clock.now()
        assert view.entry(session, "person", "li-wen", now)["suspended"] is True
        for kind, identifier in (("person", "li-wen"), ("domain", "outer-fin")):
            assert "suspended" in view.entry(session, kind, identifier, now)
            assert "suspended" not in view.entry(session, kind, identifier, now - timedelta(hours=1), past=True)
        assert not any("suspended" in one for one in view.entries(session, "person", now, past=True))


def test_a_file_that_names_no_act_leaves_the_one_that_appointed(sound: Database, clock: ManualClock) -> None:
    text = changed("holder: li-wen, basis: 任〔2025〕1号}", "holder: li-wen}")
    apply(sound, text, clock.now())
    apply(sound, text.replace("title: 主管", "title: 主任"), clock.now())
    with sound.read() as session:
        assert [row.basis for row in history.holdings(session, "fin-head")] == ["任〔2025〕1号"]
        present = history.whole(session, clock.now())
        assert difference.compare(present, loader.parse_province(text)).changed == ("post:fin-head",)
        told = difference.compare(present, loader.parse_province(text)).fields["post:fin-head"]
        assert set(told) == {"title"}


def test_a_handover_may_be_entered_later_but_never_overlaps(sound: Database, clock: ManualClock) -> None:
    began, now = clock.now() - timedelta(days=1), clock.now()
    hand_over(sound, "sun-jing", now, since=now - timedelta(hours=3))
    with sound.read() as session:
        assert in_charge(session, now - timedelta(hours=3)) == "sun-jing"
        assert in_charge(session, now - timedelta(hours=3) - MOMENT) == "li-wen"
        rows = history.holdings(session, "fin-head")
        assert [(row.person, row.since, row.until) for row in rows] == [
            ("li-wen", began, now - timedelta(hours=3)),
            ("sun-jing", now - timedelta(hours=3), None),
        ]
    for since, words in (
        (now - timedelta(hours=3), "holds the post `fin-head` since"),
        (now - timedelta(hours=4), "holds the post `fin-head` since"),
        (now + MOMENT, "has not come yet"),
    ):
        with pytest.raises(BadHandover, match=words):
            hand_over(sound, "wang-fang", now, since=since)
    with pytest.raises(BadHandover, match="already"):
        hand_over(sound, "sun-jing", now)
    with pytest.raises(NotInRegister):
        hand_over(sound, "wang-fang", now, post="no-post")
    with pytest.raises(NotInRegister):
        hand_over(sound, "nobody", now)
    with sound.read() as session:
        assert len(history.holdings(session, "fin-head")) == 2
        assert [one["changed"] for one in view.changes(session, "post", "fin-head")] == [
            ["entered"],
            ["holder: - → li-wen (任〔2025〕1号)"],
            ["holder: li-wen → sun-jing (任〔2026〕8号)"],
        ]


@pytest.mark.parametrize("basis", ["", "  ", "a\nb", "x" * 401])
def test_a_handover_names_its_act(sound: Database, clock: ManualClock, basis: str) -> None:
    with sound.write() as session, pytest.raises(BadHandover, match="act that appoints"):
        order = Order(PostId("fin-head"), PersonId("sun-jing"), basis)
        handover.hand_over(session, order, actor="x", now=clock.now())


def test_names_posts_and_domains_are_those_of_the_time(sound: Database, clock: ManualClock) -> None:
    before = clock.now() - MOMENT
    apply_set(
        sound,
        "basis: 改名\nchange:\n  organisations: [{id: fin, name: 财政局}]\n"
        "  domains: [{id: outer-fin, operating: fin-head}]\n"
        "  people: [{id: li-wen, name: 李文二}]\n  systems: [{id: budget, operating: fin-head, domain: outer-pub}]\n",
        clock.now(),
    )
    with sound.read() as session:
        old = responsibility.officers(session, domain=DomainId("outer-fin"), at=before)
        new = responsibility.officers(session, domain=DomainId("outer-fin"), at=clock.now())
        assert (str(old.in_charge), str(old.operating)) == ("李文 (财政厅 主管)", "王芳 (财政厅 运行)")
        assert (str(new.in_charge), str(new.operating)) == ("李文二 (财政局 主管)", "李文二 (财政局 主管)")
        assert view.entry(session, "system", "budget", before)["domain"] == "outer-fin"
        assert view.entry(session, "system", "budget", clock.now())["domain"] == "outer-pub"
        assert summary.find_responsible(session, "gate", before)["domain"] == "outer-fin"
        assert [one["changed"] for one in view.changes(session, "system", "budget")] == [
            ["entered"],
            ["domain: outer-fin → outer-pub", "operating: fin-ops → fin-head"],
        ]


def test_what_ended_is_in_every_answer_about_before(sound: Database, clock: ManualClock) -> None:
    before = clock.now() - MOMENT
    apply_set(sound, "basis: 下线\nend:\n  devices: [gate]\n  systems: [budget]\n", clock.now())
    with sound.read() as session:
        assert in_charge(session, before) == "li-wen"
        with pytest.raises(NotInRegister):
            in_charge(session, clock.now())
        assert [one["id"] for one in view.entries(session, "device", before)] == ["gate"]
        assert view.entries(session, "device", clock.now()) == []
        told = view.changes(session, "system", "budget")
        assert (told[0]["until"], told[0]["actor"]) == (clock.now().isoformat(), "zhao-min")
    with pytest.raises(RegisterRejected, match="an id is never used again"):
        apply(sound, SOUND, clock.now())


def test_an_address_belonged_to_its_domain_then(sound: Database, clock: ManualClock) -> None:
    before = clock.now() - MOMENT
    apply_set(
        sound,
        "basis: 调整\nchange:\n  domains:\n    - {id: outer-fin, addresses: [10.21.0.0/16]}\n"
        "    - {id: outer-pub, addresses: [10.20.0.0/16]}\n",
        clock.now(),
    )
    with sound.read() as session:
        assert summary.find_responsible(session, "10.20.1.1", before)["domain"] == "outer-fin 财政域"
        assert summary.find_responsible(session, "10.20.1.1", clock.now())["domain"] == "outer-pub 公共域"


def test_the_whole_as_of_a_time_is_what_was_applied_then(sound: Database, clock: ManualClock) -> None:
    with sound.read() as session:
        said = loader.parse_province(SOUND)
        assert sorted(history.whole(session, clock.now()).entries(), key=repr) == sorted(said.entries(), key=repr)
        assert list(history.whole(session, clock.now() - timedelta(days=2)).entries()) == []
        found = history.find(session, "organisation", "fin", clock.now())
        assert isinstance(found, OrganisationEntry)
        assert isinstance(history.get(session, "domain", "outer-fin", clock.now()), DomainEntry)
        with pytest.raises(NoOfficer):
            responsibility.holder(session, "fin-head", clock.now() - timedelta(days=2))
        with pytest.raises(NotInRegister):
            view.changes(session, "domain", "nowhere")
