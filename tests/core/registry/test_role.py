"""Roles: the three administrators are disjoint people, an auditor is nothing else; whoever comes second is refused."""

import threading
from datetime import timedelta

import pytest
from sqlmodel import select

from core.database import Database
from core.errors import Conflict, Malformed
from core.identity import PersonId
from core.ledger.models import EvidenceRow
from core.registry import change, loader, role
from core.registry.errors import NotInRegister, SeparationOfDuties
from core.registry.models import Person, RoleAssignment
from core.rule import DISJOINT
from tests.clock import ManualClock
from tests.core.registry.files import SOUND

LI = PersonId("li-wen")


def entered(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        change.apply(session, loader.parse_province(SOUND), actor="founding", at=clock.now())
    return database


@pytest.fixture
def register(database: Database, clock: ManualClock) -> Database:
    return entered(database, clock)


def give(register: Database, clock: ManualClock, name: str, person: PersonId = LI, domain: str = "site") -> bool:
    with register.write() as session:
        if name in role.ADMINISTRATORS:
            return role.appoint(session, person=person, role=name, giver="bootstrap", at=clock.now())
        return role.assign(session, person=person, domain=domain, role=name, giver="zhao-min", at=clock.now())


def records(register: Database) -> list[tuple[str, str]]:
    with register.read() as session:
        rows = session.exec(select(EvidenceRow).where(EvidenceRow.type.like("registry.role.%")))  # type: ignore[attr-defined]
        return [(row.type, row.object) for row in rows]


@pytest.mark.parametrize("first", [*role.ADMINISTRATORS, *role.OFFICES])
@pytest.mark.parametrize("second", [*role.ADMINISTRATORS, *role.OFFICES])
def test_offices_that_exclude_each_other(
    sqlite_database: Database, clock: ManualClock, first: str, second: str
) -> None:
    """Both ways round, for every pair."""
    register = entered(sqlite_database, clock)
    excluded = first != second and ({first, second} <= set(role.ADMINISTRATORS) or "auditor" in (first, second))
    assert give(register, clock, first)
    if excluded:
        with pytest.raises(SeparationOfDuties, match=f"`li-wen` is {first} and may not be {second} as well"):
            give(register, clock, second)
    else:
        assert give(register, clock, second) is (first != second)
    with register.read() as session:
        held = {name for where, name in role.roles(session, LI, clock.now()) if where == "site"}
    assert held == ({first} if excluded else {first, second})


def test_appointing_twice_is_no_news_and_no_record(register: Database, clock: ManualClock) -> None:
    assert give(register, clock, "auditor")
    clock.advance(hours=1)
    assert not give(register, clock, "auditor")
    assert records(register) == [("registry.role.appointed", "person:li-wen")]
    with register.read() as session:
        assert len(session.exec(select(RoleAssignment).where(RoleAssignment.domain == "site")).all()) == 1


def test_only_the_three_are_appointed_and_they_are_not_assigned(register: Database, clock: ManualClock) -> None:
    with register.write() as session:
        with pytest.raises(Malformed, match="`analyst` is none of system-administrator"):
            role.appoint(session, person=LI, role="analyst", giver="bootstrap", at=clock.now())
        with pytest.raises(Malformed, match="`auditor` is none of registration-officer"):
            role.assign(session, person=LI, domain="site", role="auditor", giver="zhao-min", at=clock.now())
        with pytest.raises(NotInRegister):
            role.assign(session, person=LI, domain="nowhere", role="reader", giver="zhao-min", at=clock.now())
        with pytest.raises(NotInRegister):
            role.assign(session, person=PersonId("x"), domain="site", role="analyst", giver="z", at=clock.now())
    assert records(register) == []


def test_reaching_for_a_second_office_quotes_the_rule(register: Database, clock: ManualClock) -> None:
    """Also by the way on which no administrator is made at all: an error with a rule is put on record at the edge."""
    with register.write() as session:
        role.appoint(session, person=LI, role="security-administrator", giver="bootstrap", at=clock.now())
        with pytest.raises(SeparationOfDuties) as refused:
            role.assign(session, person=LI, domain="site", role="auditor", giver=LI, at=clock.now())
    assert refused.value.rule == str(DISJOINT)


def test_a_role_in_a_domain_hinders_no_office(register: Database, clock: ManualClock) -> None:
    assert give(register, clock, "auditor")
    assert give(register, clock, "editor", domain="outer-fin")
    with register.read() as session:
        assert ("li-wen", "outer-fin", "editor") in role.held(session, clock.now())


def test_what_was_withdrawn_was_held_before_and_frees_the_person(register: Database, clock: ManualClock) -> None:
    began = clock.now()
    give(register, clock, "auditor")
    clock.advance(days=1)
    with register.write() as session:
        role.withdraw(session, person=LI, domain="site", role="auditor", actor="zhao-min", at=clock.now())
    with register.read() as session:
        assert ("site", "auditor") in role.roles(session, LI, began)
        assert ("site", "auditor") in role.roles(session, LI, clock.now() - timedelta(milliseconds=1))
        assert ("site", "auditor") not in role.roles(session, LI, clock.now())
        assert role.roles(session, LI, began - timedelta(seconds=1)) == frozenset()
    assert give(register, clock, "system-administrator")
    with register.write() as session, pytest.raises(NotInRegister, match="does not hold `auditor`"):
        role.withdraw(session, person=LI, domain="site", role="auditor", actor="zhao-min", at=clock.now())


def test_two_appointments_at_once_do_not_slip_past_each_other(register: Database, clock: ManualClock) -> None:
    ready, refused, given = threading.Barrier(3), list[str](), list[str]()

    def appoint(name: str) -> None:
        ready.wait()
        try:
            give(register, clock, name)
            given.append(name)
        except SeparationOfDuties:
            refused.append(name)

    threads = [threading.Thread(target=appoint, args=(name,)) for name in role.ADMINISTRATORS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(given), len(refused)) == (1, 2)
    with register.read() as session:
        assert [name for where, name in role.roles(session, LI, clock.now()) if where == "site"] == given


@pytest.mark.parametrize(("name", "domain"), [("auditor", "site"), ("analyst", "site"), ("clerk", "outer-fin")])
def test_who_is_suspended_is_given_nothing(register: Database, clock: ManualClock, name: str, domain: str) -> None:
    with register.write() as session:
        session.get_one(Person, LI).suspended = True
    before = records(register)
    with pytest.raises(Conflict, match="is suspended"):
        give(register, clock, name, domain=domain)
    assert records(register) == before
    with register.write() as session:
        session.get_one(Person, LI).suspended = False
    assert give(register, clock, name, domain=domain)
