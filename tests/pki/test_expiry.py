"""Certificates that end soon are duties of who operates."""

from datetime import timedelta

import pytest
from sqlmodel import Session, func, select

from core.database import Database
from core.duty import duty
from core.identity import Serial
from core.ledger.models import EvidenceRow
from core.registry.credential import Credential
from pki import expiry, revocation
from tests.clock import ManualClock
from tests.deploy.holdings import certify
from tests.people import enter_province


@pytest.fixture
def province(database: Database, clock: ManualClock) -> Database:
    with database.write() as session:
        enter_province(session, clock.now() - timedelta(days=1))
    return database


def told(session: Session, clock: ManualClock) -> list[tuple[str, str, str]]:
    expiry.tell(session, clock.now())
    return [(one.object[-2:], one.post, one.stage) for one in duty.waiting(session)]


def test_an_end_is_told_at_30_7_and_1_days_until_there_is_a_newer_one(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        certify(session, "li-wen", 1, clock.now())
        seen = []
        for days in (0, 336, 12, 10, 6):
            clock.advance(days=days)
            seen.append(told(session, clock))
        certify(session, "li-wen", 2, clock.now(), days=400)
        seen.append(told(session, clock))
    post = "czt-operations"
    assert seen == [[], [("01", post, "30")], [("01", post, "30")], [("01", post, "7")], [("01", post, "1")], []]


def test_a_revoked_certificate_and_one_that_ended_are_nobodys_duty(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        certify(session, "li-wen", 1, clock.now(), days=15)
        certify(session, "sun-yue", 2, clock.now(), days=16)
        assert told(session, clock) == []
        clock.advance(days=11)
        assert [one for one, _, _ in told(session, clock)] == ["01", "02"]
        revocation.revoke(session, Serial(f"{1:040x}"), reason="superseded", actor="x", at=clock.now())
        assert [one for one, _, _ in told(session, clock)] == ["02"]
        clock.advance(days=6)
        assert told(session, clock) == []


def test_a_machines_certificate_is_told_to_who_operates_its_system(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        certify(session, "gw-1", 1, clock.now(), days=25)
        row = session.get_one(Credential, f"{1:040x}")
        row.holder_kind = "gateway"
        session.add(row)
        clock.advance(days=20)
        assert told(session, clock) == [("01", "xxb-exchange", "7")]


def test_who_holds_a_post_is_told_there(province: Database, clock: ManualClock) -> None:
    with province.write() as session:
        certify(session, "zhou-head", 1, clock.now(), days=25)
        clock.advance(days=20)
        assert told(session, clock) == [("01", "czt-head", "7")]
        # Once for each stage, however often the job runs.
        records = select(func.count()).select_from(EvidenceRow).where(EvidenceRow.type.like("duty.%"))  # type: ignore[attr-defined]
        before = session.exec(records).one()
        assert told(session, clock) == [("01", "czt-head", "7")]
        assert session.exec(records).one() == before
