"""``role.administrator.replace``: bodies that make sense, both halves or neither, the rule of three kept."""

import pytest

from core.approval import administrator
from core.approval.errors import NotYours
from core.database import Database
from core.errors import Conflict, Malformed, NotFound, TrustError
from core.identity import PersonId
from core.registry import role
from core.registry.errors import SeparationOfDuties
from core.registry.models import Person
from tests.clock import ManualClock
from tests.core.approval.desk import AUDITOR, SECURITY, SYSTEM, Desk, opened

NEW = "sun-yue"


@pytest.fixture
def desk(sqlite_database: Database, clock: ManualClock) -> Desk:
    return opened(sqlite_database, clock)


def propose(desk: Desk, who: str = SECURITY, **body: str) -> object:
    return desk.propose(who, dict(body), act=administrator.NAME, object_=f"office:{body.get('role')}")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, Malformed),
        ({"role": "auditor"}, Malformed),
        ({"role": "auditor", "incoming": AUDITOR, "outgoing": AUDITOR}, Malformed),
        ({"role": "analyst", "incoming": NEW}, Malformed),
        ({"role": "auditor", "incoming": NEW, "more": "x"}, Malformed),
        ({"role": "auditor", "incoming": "x" * 81}, Malformed),
        ({"role": "auditor", "incoming": "nobody"}, NotFound),
        ({"role": "auditor", "outgoing": NEW}, Conflict),
        ({"role": "auditor", "incoming": AUDITOR}, Conflict),
        ({"role": "auditor", "incoming": SYSTEM}, SeparationOfDuties),
        ({"role": "system-administrator", "incoming": SECURITY}, SeparationOfDuties),
    ],
)
def test_bodies_that_make_no_sense_are_refused(desk: Desk, body: dict[str, str], error: type[TrustError]) -> None:
    with pytest.raises(error):
        propose(desk, **body)
    assert desk.records() == []


@pytest.mark.parametrize(("gone", "word"), [("left_at", "left at"), ("suspended", "is suspended")])
def test_whoever_could_not_use_the_office_does_not_come(desk: Desk, gone: str, word: str) -> None:
    with desk.database.write() as session:
        human = session.get_one(Person, NEW)
        setattr(human, gone, desk.clock.now() if gone == "left_at" else True)
        session.add(human)
    with pytest.raises(TrustError, match=word):
        propose(desk, role="auditor", outgoing=AUDITOR, incoming=NEW)
    assert desk.records() == []


@pytest.mark.parametrize("proposer", [SECURITY, SYSTEM])
def test_the_outgoing_never_decides_whoever_proposes(desk: Desk, proposer: str) -> None:
    row = propose(desk, proposer, role="auditor", outgoing=AUDITOR, incoming=NEW)
    desk.clock.advance(seconds=1)
    with pytest.raises(NotYours) as refused:
        desk.approve(AUDITOR, row)  # type: ignore[arg-type]
    assert refused.value.rule.startswith("concerned-person ")
    other = SYSTEM if proposer == SECURITY else SECURITY
    assert desk.approve(other, row).state == "done"  # type: ignore[arg-type]
    with desk.database.read() as session:
        at = desk.clock.now()
        assert role.on_site(session, PersonId(NEW), at) == ("auditor",)
        assert role.on_site(session, PersonId(AUDITOR), at) == ()


def test_an_administrator_may_propose_to_go(desk: Desk) -> None:
    row = propose(desk, AUDITOR, role="auditor", outgoing=AUDITOR)
    desk.clock.advance(seconds=1)
    assert desk.approve(SYSTEM, row).state == "done"  # type: ignore[arg-type]


def test_nothing_is_withdrawn_when_nobody_can_come(desk: Desk) -> None:
    """The incoming got another office between proposal and approval."""
    row = propose(desk, role="auditor", outgoing=AUDITOR, incoming=NEW)
    with desk.database.write() as session:
        role.assign(session, person=PersonId(NEW), domain="site", role="analyst", giver=SECURITY, at=desk.clock.now())
    desk.clock.advance(seconds=1)
    assert desk.approve(SYSTEM, row).state == "failed"  # type: ignore[arg-type]
    with desk.database.read() as session:
        assert role.on_site(session, PersonId(AUDITOR), desk.clock.now()) == ("auditor",)
    assert desk.records("registry.role.withdrawn") == []


def test_the_bootstrap_certificate_only_fills_vacancies(desk: Desk) -> None:
    with desk.database.read() as session:
        role.check_vacant(session, "auditor", PersonId(AUDITOR), desk.clock.now())
        with pytest.raises(SeparationOfDuties) as refused:
            role.check_vacant(session, "auditor", PersonId(NEW), desk.clock.now())
    assert refused.value.rule.startswith("bootstrap-fills-vacancies ")
