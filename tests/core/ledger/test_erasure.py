"""The act that erases a body: two people, never against the retention or a hold; on both stores."""

from datetime import timedelta

import pytest
from sqlmodel import select

from core.approval import erasure
from core.errors import Malformed
from core.ledger import body, evidence, hold
from core.ledger.entry import Event
from core.ledger.errors import BodyErased, Kept, NoBody, UnknownRecord
from core.ledger.hold import Kind
from core.ledger.models import EvidenceRow
from tests.clock import ManualClock
from tests.core.ledger import custodian
from tests.core.ledger.custodian import APPROVER, PROPOSER, SERIAL
from tests.core.ledger.logs import Log
from tests.people import enter_province

ACT = erasure.act(custodian.REGISTER, custodian.NUMBERS)


@pytest.fixture
def log(log: Log, clock: ManualClock) -> Log:
    with log.database.write() as session:
        enter_province(session, clock.now() - timedelta(days=1))
    return log


def told(log: Log, *, days: int = 400, personal: bool = True, **details: str) -> str:
    with log.database.write() as session:
        event = Event("test.thing.made", "li-wen", "thing:1", "outer-finance", details=details)
        content = {"name": "演练样本"} if personal else None
        return evidence.append(session, event, at=log.clock.now() - timedelta(days=days), body=content)


def erase(log: Log, record: str) -> None:
    with log.database.write() as session:
        ACT.carry_out(session, {"record": record}, PROPOSER, APPROVER, log.clock.now())


def test_gone_and_on_record(log: Log) -> None:
    record = told(log)
    with log.database.read() as session:
        assert ACT.concern(session, {"record": record}, log.clock.now()).object == f"record:{record}"
        assert "can never be read again" in ACT.consequences(session, {"record": record}, log.clock.now())[0]
    erase(log, record)
    log.sequencer().run_once()
    log.check()
    with log.database.read() as session:
        with pytest.raises(BodyErased, match=APPROVER):
            body.read(session, record)
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "ledger.body.erased")).one()
    assert (row.actor, row.object) == (APPROVER, f"record:{record}")
    with pytest.raises(BodyErased, match="before"):
        erase(log, record)


def test_within_the_retention_it_stays(log: Log) -> None:
    record = told(log, days=179)
    with pytest.raises(Kept) as caught:
        erase(log, record)
    assert "网络安全法" in caught.value.rule


def test_of_a_certificate_it_stays_five_years_longer(log: Log) -> None:
    custodian.enter_credential(log, expired_days=10)
    record = told(log, serial=SERIAL)
    with pytest.raises(Kept) as caught:
        erase(log, record)
    assert "电子签名法" in caught.value.rule


def test_a_hold_keeps_it(log: Log, clock: ManualClock) -> None:
    record = told(log)
    with log.database.write() as session:
        until = clock.now() + timedelta(days=1)
        hold.place(session, kind=Kind.OBJECT, value="thing:1", reason="r", until=until, actor=APPROVER, at=clock.now())
    with pytest.raises(Kept) as caught:
        erase(log, record)
    assert "legal-hold" in caught.value.rule
    clock.advance(days=2)
    erase(log, record)


def test_there_is_nothing_to_erase(log: Log) -> None:
    with pytest.raises(UnknownRecord):
        erase(log, "0" * 32)
    with pytest.raises(NoBody):
        erase(log, told(log, personal=False))


@pytest.mark.parametrize(
    "said", [{}, {"record": 1}, {"record": "x"}, {"record": "0" * 32, "more": 1}, {"record": None}]
)
def test_hostile_bodies(log: Log, said: dict[str, object]) -> None:
    with log.database.read() as session, pytest.raises(Malformed):
        ACT.concern(session, said, log.clock.now())  # type: ignore[arg-type]  # hostile
