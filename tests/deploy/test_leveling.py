"""Setting a level: what becomes stricter and for whom is shown before, and it takes two people."""

from dataclasses import replace

import pytest

from core.approval import acts
from core.approval.acts import Acts
from core.approval.errors import NotYours
from core.database import Database
from core.errors import Conflict, Malformed
from core.identity import DomainId
from core.registry import history, leveling
from core.registry.errors import NotInRegister, RegisterRejected
from core.registry.leveling import Asked, Preview
from core.registry.province import DomainEntry
from deploy import leveling as act
from pki import strength
from tests.clock import ManualClock
from tests.core.approval.desk import Desk, opened
from tests.deploy.holdings import HOLDERS, certify
from tests.people import enter_province

ASKED = Asked(HOLDERS, strength.weak)
BODY = {"domain": "outer-finance", "from": 3, "level": 4, "basis": "定级报告〔2026〕3号 演练样本"}


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now())
        certify(session, "li-wen", 0x11, clock.now(), days=300)
        certify(session, "sun-yue", 0x12, clock.now(), days=30)
    clock.advance(days=1)
    return database


def preview(database: Database, clock: ManualClock, domain: str, level: int) -> Preview:
    with database.read() as session:
        return leveling.preview(session, ASKED, DomainId(domain), level, clock.now())


def test_the_preview_names_parameters_and_who_does_not_meet_them(province: Database, clock: ManualClock) -> None:
    told = preview(province, clock, "outer-finance", 4)
    assert [(step.parameter.name, step.old, step.new) for step in told.steps][:3] == [
        ("certificate_days_person", 365, 180),
        ("certificate_days_device", 180, 90),
        ("rsa_bits", 3072, 4096),
    ]
    assert [(one.identifier, one.holder) for one in told.affected] == [(f"{0x11:040x}", "li-wen")]
    lines = told.sentences()
    assert lines[0].startswith("domain `outer-finance`: level 3 → 4 (level table ")
    assert any("longer than 180 days in all" in line for line in lines)
    assert lines[-1] == "1 certificates of the domain do not meet level 4 as they are"


def test_a_certificate_that_fails_twice_is_counted_once(province: Database, clock: ManualClock) -> None:
    told = preview(province, clock, "outer-finance", 4)
    (too_long,) = told.affected
    twice = replace(told, affected=(too_long, replace(too_long, why="its key is P-256")))
    assert twice.sentences()[-1] == "1 certificates of the domain do not meet level 4 as they are"


def test_a_level_below_a_graded_system_is_refused(province: Database, clock: ManualClock) -> None:
    with pytest.raises(RegisterRejected, match="`fin-budget` has level 3, above level 2"):
        preview(province, clock, "outer-finance", 2)
    with province.write() as session, pytest.raises(RegisterRejected):
        leveling.set_level(session, DomainId("outer-finance"), 2, actor="x", basis="y", at=clock.now())


def test_what_makes_no_sense_is_refused(province: Database, clock: ManualClock) -> None:
    with pytest.raises(Conflict):
        preview(province, clock, "outer-finance", 3)
    with pytest.raises(NotInRegister):
        preview(province, clock, "nowhere", 3)
    with pytest.raises(Malformed):
        preview(province, clock, "outer-finance", 6)


def test_the_level_is_set_with_version_and_record(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        assert (
            leveling.set_level(session, DomainId("outer-finance"), 4, actor="lu-security", basis="x", at=clock.now())
            == 3
        )
    with province.read() as session:
        entry = history.get(session, "domain", "outer-finance", clock.now())
        assert isinstance(entry, DomainEntry)
        assert entry.level == 4
        assert len(history.versions(session, "domain", "outer-finance")) == 2


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> Desk:
    desk = opened(database, clock)
    desk.acts = Acts([one for one in acts.load() if one.act == act.NAME], [act.act(HOLDERS)])
    return desk


def test_it_takes_the_officer_in_charge(desk: Desk) -> None:
    row = desk.propose(body=BODY, act=act.NAME, object_="domain:outer-finance")
    assert desk.state(row) == "waiting"
    with pytest.raises(NotYours, match="may not decide"):
        desk.approve("he-sysadmin", row)
    level_of(desk, 3)
    desk.approve("zhou-head", row)
    assert desk.state(row) == "done"
    level_of(desk, 4)


def test_what_was_proposed_from_another_level_is_not_carried_out(desk: Desk) -> None:
    """Proposed as stricter, 3 → 4; meanwhile the level is 5, and it would be looser."""
    row = desk.propose(body=BODY, act=act.NAME, object_="domain:outer-finance")
    with desk.database.write() as session:
        leveling.set_level(session, DomainId("outer-finance"), 5, actor="x", basis="y", at=desk.clock.now())
    desk.clock.advance(minutes=1)
    done = desk.approve("zhou-head", row)
    assert (done.state, "has level 5 now, and not 3" in done.result) == ("failed", True)
    level_of(desk, 5)
    with pytest.raises(Conflict, match="has level 5 now"):
        desk.propose(body=BODY, act=act.NAME, object_="domain:outer-finance", reason="again")


def level_of(desk: Desk, level: int) -> None:
    with desk.database.read() as session:
        entry = history.get(session, "domain", "outer-finance", desk.clock.now())
        assert isinstance(entry, DomainEntry)
        assert entry.level == level


@pytest.mark.parametrize(
    "body",
    [
        {**BODY, "level": "4"}, {**BODY, "level": True}, {**BODY, "level": 0}, {**BODY, "basis": " "},
        {**BODY, "more": 1}, {"domain": "outer-finance", "level": 4}, {**BODY, "domain": "x" * 81},
        {**BODY, "from": "3"}, {**BODY, "from": 0},
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_refused(desk: Desk, body: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        desk.propose(body=body, act=act.NAME, object_="domain:outer-finance")  # type: ignore[arg-type]  # that is the test
