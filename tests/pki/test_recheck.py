"""What changes between judgement and outcome: nobody gets a certificate that the register does not grant any more."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from sqlmodel import Session, func, select

from core.database import Database
from core.errors import TrustError, Unavailable
from core.identity import SubjectKind
from core.registry.credential import Credential
from core.registry.models import Device, Person, SecurityDomain, System
from pki import revocation
from pki.request import IssuanceRequest, IssuedCertificate
from tests.pki.conftest import Pki, csr
from tests.pki.test_batch import over, words

#: The first write transaction of an issuance holds its intentions, the second its outcomes.
OUTCOME = 2


class Interrupted(Database):
    """A store where something else is done before the ``nth`` write transaction from ``arm`` on, or ``late`` in it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._left, self._late = 0, False
        self._act: Callable[[], object] = list

    def arm(self, nth: int, act: Callable[[], object], *, late: bool = False) -> None:
        self._left, self._act, self._late = nth, act, late

    @contextmanager
    def write(self) -> Iterator[Session]:
        self._left -= 1
        due = self._left == 0
        if due and not self._late:
            self._act()
        with super().write() as session:
            yield session
            if due and self._late:
                self._act()


@pytest.fixture
def slow(pki: Pki) -> Iterator[Interrupted]:
    database = Interrupted(pki.database.url)
    yield database
    database.close()


def ask(holder: str, profile: str, key: ec.EllipticCurvePrivateKey | None = None) -> IssuanceRequest:
    return IssuanceRequest(csr(key or ec.generate_private_key(ec.SECP256R1()), holder), profile, None, holder)


def change(pki: Pki, what: Callable[[Session], object]) -> Callable[[], None]:
    def act() -> None:
        with pki.database.write() as session:
            what(session)

    return act


def of(pki: Pki, holder: str) -> int:
    with pki.database.read() as session:
        return session.exec(select(func.count()).select_from(Credential).where(Credential.holder == holder)).one()


def end_device(session: Session) -> None:
    session.get_one(Device, "fin-budget-app").ended_at = datetime(2026, 1, 1, tzinfo=UTC)


def end_system(session: Session) -> None:
    session.get_one(System, "fin-budget").ended_at = datetime(2026, 1, 1, tzinfo=UTC)


def raise_level(session: Session) -> None:
    session.get_one(SecurityDomain, "outer-finance").level += 1


def rename_space(session: Session) -> None:
    session.get_one(SecurityDomain, "outer-finance").name_space = "elsewhere.example"


def rename_system_owner(session: Session) -> None:
    session.get_one(System, "fin-budget").organisation = session.get_one(Person, "han-office").organisation


def rename_device(session: Session) -> None:
    session.get_one(Device, "fin-budget-app").name = "演练样本 another name"


def end_domain(session: Session) -> None:
    session.get_one(SecurityDomain, "outer-finance").ended_at = datetime(2026, 1, 1, tzinfo=UTC)


def move(session: Session) -> None:
    session.get_one(System, "fin-budget").domain = "outer-public"


CHANGES = [end_device, end_system, end_domain, raise_level, rename_space, move, rename_device, rename_system_owner]


@pytest.mark.parametrize("what", CHANGES)
def test_a_machine_that_changed_meanwhile_gets_nothing(
    pki: Pki, slow: Interrupted, what: Callable[[Session], None]
) -> None:
    slow.arm(OUTCOME, change(pki, what))
    said = over(pki, slow).issue_batch([ask("fin-budget-app", "application"), ask("han-office", "person")], actor="x")
    assert isinstance(said[0], TrustError)
    assert isinstance(said[1], IssuedCertificate)
    assert of(pki, "fin-budget-app") == 0


def waits(pki: Pki, what: Callable[[Session], None]) -> Callable[[], None]:
    """Show that a change of the register waits for whoever holds what it changes."""

    def act() -> None:
        with pytest.raises(Unavailable, match="lock timeout"), pki.database.write() as session:
            session.connection().execute(text("SET LOCAL lock_timeout = '100ms'"))
            what(session)
            session.flush()

    return act


@pytest.mark.parametrize("what", [end_device, end_system, end_domain])
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_machine_does_not_change_while_its_outcome_is_written(
    pki: Pki, slow: Interrupted, what: Callable[[Session], None]
) -> None:
    slow.arm(OUTCOME, waits(pki, what), late=True)
    assert words(over(pki, slow).issue_batch([ask("fin-budget-app", "application")], actor="x")) == ["issued"]


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_outcomes_over_one_key_are_written_one_after_the_other(pki: Pki, slow: Interrupted) -> None:
    """Whoever would get it second waits before anything is read, and is refused by what the first has made."""
    key = ec.generate_private_key(ec.SECP256R1())
    with ThreadPoolExecutor(1) as threads:
        started: list[Future[list[IssuedCertificate | TrustError]]] = []

        def second() -> None:
            started.append(threads.submit(pki.authority.issue_batch, [ask("sun-yue", "person", key)], actor="x"))
            with pytest.raises(TimeoutError):
                started[0].result(0.5)

        slow.arm(OUTCOME, second, late=True)
        assert words(over(pki, slow).issue_batch([ask("li-wen", "person", key)], actor="x")) == ["issued"]
        assert words(started[0].result(30)) == ["reused-key"]


def test_a_person_who_was_moved_meanwhile_gets_nothing(pki: Pki, slow: Interrupted) -> None:
    def move_person(session: Session) -> None:
        session.get_one(Person, "li-wen").domain = "outer-public"

    slow.arm(OUTCOME, change(pki, move_person))
    said = over(pki, slow).issue_batch([ask("li-wen", "person"), ask("zhao-ra", "person")], actor="x")
    assert words(said) == ["issuance-lapsed", "issued"]


def test_a_key_that_was_revoked_meanwhile_is_not_certified_again(pki: Pki, slow: Interrupted) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first = pki.issue("li-wen", key)
    at = pki.clock.now()

    def revoke(session: Session) -> None:
        revocation.revoke(session, first.serial, reason="key-compromise", actor="lu-security", at=at)

    slow.arm(OUTCOME, change(pki, revoke))
    said = over(pki, slow).issue_batch([ask("li-wen", "person", key)], actor="x")
    assert words(said) == ["revoked-key"]
    assert of(pki, "li-wen") == 1


def test_a_key_that_somebody_else_got_meanwhile_is_not_certified(pki: Pki, slow: Interrupted) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    slow.arm(OUTCOME, lambda: pki.issue("sun-yue", key))
    said = over(pki, slow).issue_batch([ask("li-wen", "person", key)], actor="x")
    assert words(said) == ["reused-key"]
    assert of(pki, "li-wen") == 0


def test_the_very_same_request_at_once_is_issued_once(pki: Pki, slow: Interrupted) -> None:
    asked = ask("li-wen", "person")
    slow.arm(OUTCOME, lambda: pki.authority.issue_batch([asked], actor="x"))
    authority = over(pki, slow)
    assert words(authority.issue_batch([asked], actor="x")) == ["issuance-lapsed"]
    (again,) = authority.issue_batch([asked], actor="x")
    assert isinstance(again, IssuedCertificate)
    assert (again.repeated, of(pki, "li-wen")) == (True, 1)


def test_one_asked_for_by_itself_is_issued_each_time(pki: Pki) -> None:
    asked = IssuanceRequest(ask("li-wen", "person").csr, "person", SubjectKind.PERSON, "li-wen")
    assert len({pki.authority.issue(asked, actor="x").serial for _ in range(2)}) == 2
