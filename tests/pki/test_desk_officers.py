"""Whose word counts at the desk, on what, and until when; many at once issue one certificate."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from core.errors import TrustError, Unavailable
from core.identity import SITE, PersonId, Serial
from core.registry import role
from core.registry.credential import Credential
from core.registry.models import Person
from pki import revocation
from pki.desk import RequestDesk
from pki.deskofficer import DECIDING, Officer
from pki.deskstate import NotWaiting, NotYourRequest
from pki.models import DeskRequest, IssuanceIntent
from tests.failing import FailingDatabase, Failure
from tests.pki.conftest import Pki
from tests.pki.counter import Counter, ask, certificates, events, stored
from tests.pki.test_batch import over


@pytest.fixture
def counter(sqlite_pki: Pki) -> Counter:
    return Counter(sqlite_pki)


def leave(pki: Pki, name: str) -> None:
    with pki.database.write() as session:
        session.get_one(Person, name).left_at = pki.clock.now()


def suspend(pki: Pki, name: str) -> None:
    with pki.database.write() as session:
        session.get_one(Person, name).suspended = True


def lose_office(pki: Pki, name: str) -> None:
    at = pki.clock.now()
    with pki.database.write() as session:
        role.withdraw(session, person=PersonId(name), domain=SITE, role="registration-officer", actor="x", at=at)


def lose_certificate(pki: Pki, name: str) -> None:
    at = pki.clock.now()
    with pki.database.write() as session:
        for held in session.exec(select(Credential.serial).where(Credential.holder == name)).all():
            revocation.revoke(session, Serial(held), reason="key-compromise", actor="lu-security", at=at)


ENDS = [leave, suspend, lose_office, lose_certificate]


@pytest.mark.parametrize("end", ENDS)
def test_an_approval_ends_with_its_officer(counter: Counter, end: Callable[[Pki, str], None]) -> None:
    row = counter.pki.desk.file(ask("han-office"), actor="wu-ops")
    assert counter.approve(row, "zhao-ra").state == "checked"
    end(counter.pki, "zhao-ra")
    assert counter.approve(row, "lu-security").state == "checked"
    assert certificates(counter.pki) == 0
    assert [decision for _what, _who, decision in events(counter.pki)] == ["", "approved", "lapsed", "approved"]
    assert counter.approve(row, "sun-yue").state == "issued"


@pytest.mark.parametrize("end", ENDS)
def test_who_is_no_officer_any_more_decides_nothing(counter: Counter, end: Callable[[Pki, str], None]) -> None:
    row = counter.pki.desk.file(ask(), actor="wu-ops")
    counter.officer("zhao-ra")
    end(counter.pki, "zhao-ra")
    for act in (counter.approve, counter.return_, counter.reject):
        with pytest.raises(NotYourRequest):
            act(row)
    assert stored(counter.pki, row).state == "submitted"


def interrupted(counter: Counter, row: DeskRequest, *names: str) -> None:
    """Approve, the last time as if the store had died with the decision."""
    database = FailingDatabase(counter.pki.database.url)
    authority, clock = over(counter.pki, database), counter.pki.clock
    broken = RequestDesk(database=database, authority=authority, clock=clock, random=bytes)
    seats = [counter.officer(name) for name in names]
    for seat in seats:
        if seat is seats[-1]:
            database.arm(1, Failure.APPLIED)
        try:
            broken.approve(row.id, digest=row.digest, comment="", officer=seat)
        except Unavailable:
            assert seat is seats[-1]
    database.close()
    assert stored(counter.pki, row).state == "approved"


def test_what_is_approved_is_not_issued_after_its_officer_has_ended(counter: Counter) -> None:
    row = counter.pki.desk.file(ask("han-office"), actor="wu-ops")
    interrupted(counter, row, "zhao-ra", "lu-security")
    lose_office(counter.pki, "zhao-ra")
    with pytest.raises(NotYourRequest):
        counter.approve(row, "lu-security")
    assert certificates(counter.pki) == 0
    assert counter.approve(row, "sun-yue").state == "issued"


@pytest.mark.parametrize("who", ["wu-ops", "han-office"])
def test_neither_filer_nor_holder_has_what_is_approved_issued(counter: Counter, who: str) -> None:
    row = counter.pki.desk.file(ask("han-office"), actor="wu-ops")
    interrupted(counter, row, "zhao-ra", "lu-security")
    with pytest.raises(NotYourRequest, match="nobody approves"):
        counter.approve(row, who)
    assert stored(counter.pki, row).serial == ""


def test_what_is_approved_can_be_stopped_until_it_is_signed(counter: Counter) -> None:
    first = counter.pki.desk.file(ask(), actor="wu-ops")
    interrupted(counter, first, "zhao-ra")
    assert counter.return_(first).state == "returned"
    second = counter.pki.desk.file(ask(), actor="wu-ops")
    interrupted(counter, second, "zhao-ra")
    with counter.pki.database.write() as session:
        taken = session.exec(select(IssuanceIntent).limit(1)).one()
        about = {"serial": "7" * 40, "state": "open", "request": second.digest}
        session.add(IssuanceIntent(**taken.model_dump() | about))
    for act in (counter.return_, counter.reject):
        with pytest.raises(NotWaiting):
            act(second)


def broken_at(counter: Counter, nth: int, row: DeskRequest, name: str = "zhao-ra") -> None:
    """Approve, and break off after the ``nth`` transaction: decision, intention, outcome, the request's own end."""
    database = FailingDatabase(counter.pki.database.url)
    clock, seat = counter.pki.clock, counter.officer(name)
    broken = RequestDesk(database=database, authority=over(counter.pki, database), clock=clock, random=bytes)
    database.arm(nth, Failure.APPLIED)
    with pytest.raises(Unavailable):
        broken.approve(row.id, digest=row.digest, comment="", officer=seat)
    database.close()
    assert stored(counter.pki, row).state == "approved"


def hold(pki: Pki, serial: Serial) -> None:
    until = pki.clock.now() + timedelta(days=1)
    with pki.database.write() as session:
        revocation.hold(session, serial, until=until, message="", actor="lu-security", at=pki.clock.now())


def revoke(pki: Pki, serial: Serial) -> None:
    with pki.database.write() as session:
        revocation.revoke(session, serial, reason="key-compromise", actor="lu-security", at=pki.clock.now())


def expire(pki: Pki, serial: Serial) -> None:
    pki.clock.advance(days=400)


@pytest.mark.parametrize("fate", [hold, revoke, expire])
def test_what_was_issued_is_issued_whatever_became_of_it(counter: Counter, fate: Callable[[Pki, Serial], None]) -> None:
    """The request was not told of its certificate, and the certificate is not good any more."""
    row = counter.pki.desk.file(ask(), actor="wu-ops")
    broken_at(counter, 3, row)
    with counter.pki.database.read() as session:
        serial = Serial(session.exec(select(Credential.serial).where(Credential.holder == "li-wen")).one())
    fate(counter.pki, serial)
    done = counter.approve(row, "lu-security")
    assert (done.state, done.serial, certificates(counter.pki)) == ("issued", serial, 1)
    assert events(counter.pki)[-1] == ("issued", "zhao-ra", "")
    with pytest.raises(NotWaiting):
        counter.approve(row, "lu-security")


def test_nobodys_yes_lapses_while_it_is_signed(counter: Counter) -> None:
    """Between intention and outcome the request stays approved: it is not free to be returned before both are over."""
    row = counter.pki.desk.file(ask(), actor="wu-ops")
    broken_at(counter, 2, row)
    lose_office(counter.pki, "zhao-ra")
    with pytest.raises(NotWaiting, match="about to be made"):
        counter.approve(row, "lu-security")
    with pytest.raises(NotWaiting):
        counter.reject(row, "lu-security")
    counter.pki.clock.advance(minutes=5)
    with counter.pki.database.write() as session:
        at = counter.pki.clock.now()
        assert revocation.resume(session, before=at - timedelta(minutes=2), at=at) == 1
    assert counter.reject(row, "lu-security").state == "rejected"
    assert certificates(counter.pki) == 0
    assert [decision for _what, _who, decision in events(counter.pki)] == ["", "approved", "rejected"]


def test_what_was_made_counts_although_the_officer_has_ended(counter: Counter) -> None:
    row = counter.pki.desk.file(ask(), actor="wu-ops")
    broken_at(counter, 3, row)
    lose_office(counter.pki, "zhao-ra")
    for act in (counter.return_, counter.reject):
        with pytest.raises(NotWaiting):
            act(row, "lu-security")
    assert (counter.approve(row, "lu-security").state, certificates(counter.pki)) == ("issued", 1)


def test_a_decision_names_what_it_is_about(counter: Counter) -> None:
    """Seen, returned and corrected meanwhile: the yes was not for this."""
    seen = counter.pki.desk.file(ask(), actor="wu-ops")
    counter.return_(seen)
    again = counter.pki.desk.correct(seen.id, ask(), actor="wu-ops")
    for act in (counter.approve, counter.return_, counter.reject):
        with pytest.raises(NotWaiting, match="corrected"):
            act(seen)
    assert (stored(counter.pki, seen).state, certificates(counter.pki)) == ("submitted", 0)
    assert counter.approve(again).state == "issued"


def test_approvals_at_once_issue_one_certificate(pki: Pki) -> None:
    """One was approved and not issued; then two officers approve it in the same moment."""
    counter = Counter(pki)
    seats = [counter.officer(name) for name in ("zhao-ra", "lu-security")]
    for number in range(1, 6):
        row = pki.desk.file(ask(), actor="wu-ops")
        with pki.database.write() as session:
            session.get_one(DeskRequest, row.id).state = "approved"
            session.get_one(DeskRequest, row.id).approved_by = str(seats[0])
        start = threading.Barrier(2)

        def approve(seat: Officer, row: DeskRequest = row, start: threading.Barrier = start) -> str:
            start.wait(10)
            try:
                return pki.desk.approve(row.id, digest=row.digest, comment="", officer=seat).state
            except TrustError as error:
                return error.word

        with ThreadPoolExecutor(2) as threads:
            said = list(threads.map(approve, seats))
        # Whoever was late either sees it issued or is told that nothing is to be decided any more.
        assert set(said) <= {"issued", "not-waiting"}
        assert "issued" in said
        now = stored(pki, row)
        assert (now.state, certificates(pki)) == ("issued", number)
        with pki.database.read() as session:
            assert session.get_one(Credential, now.serial).holder == "li-wen"


def test_the_very_same_request_is_a_renewal_when_it_is_filed_again(counter: Counter) -> None:
    asked = ask()
    first = counter.approve(counter.pki.desk.file(asked, actor="wu-ops"))
    counter.pki.clock.advance(days=1)
    second = counter.approve(counter.pki.desk.file(asked, actor="wu-ops"))
    assert (second.state, certificates(counter.pki)) == ("issued", 2)
    assert second.serial != first.serial


def test_the_policies_let_the_same_offices_decide() -> None:
    table = (Path(__file__).parents[1] / "authz" / "permissions.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.startswith("|")]
    (decide,) = [row for row in rows if row[1] == "`pki:request:decide`"]
    assert {office for office, mark in zip(rows[0], decide, strict=True) if mark == "✔"} == DECIDING
