"""Purges on both stores: what goes, what stays and why, and that the log verifies afterwards."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from core.approval import purge as act
from core.errors import Malformed, TrustError, Unavailable
from core.ledger import evidence, hold, purge, reference
from core.ledger.entry import Event, JsonValue
from core.ledger.errors import InconsistentLog, Kept, StorageFailed
from core.ledger.hold import Kind
from core.ledger.models import EvidenceBody, EvidencePurge, EvidenceReference, EvidenceRow
from core.ledger.sequencer import BUNDLE_EXPORTED
from core.ledger.stub import RECORDS_PURGED
from tests.clock import ManualClock
from tests.core.ledger import custodian
from tests.core.ledger.custodian import APPROVER, PROPOSER, SERIAL
from tests.core.ledger.logs import Log
from tests.failing import FailingDatabase, FailingWriter, Failure
from tests.people import enter_province

ACT = act.act(custodian.REGISTER, custodian.NUMBERS)


@pytest.fixture
def log(log: Log, clock: ManualClock) -> Log:
    with log.database.write() as session:
        enter_province(session, clock.now() - timedelta(days=1))
    log.sequencer().run_once()
    return log


def approve(log: Log, **more: str) -> str:
    """What ``approval`` does once both people have signed; return the purge's record."""
    seen = custodian.look(log, **more)
    with log.database.write() as session:
        told = ACT.carry_out(session, custodian.proposal(log, seen, **more), PROPOSER, APPROVER, log.clock.now())
    return str(told["record"])


def finish(log: Log) -> int:
    """Publish and carry out, as sequencer and worker do in turns."""
    for _ in range(3):
        log.sequencer().run_once()
        closed = custodian.purger(log).work_off()
    return closed


def row_of(session: Session, number: int) -> EvidenceRow:
    return session.exec(select(EvidenceRow).where(EvidenceRow.sequence == number)).one()


def everything(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


def test_what_is_over_goes_and_the_log_stays_the_same(log: Log) -> None:
    custodian.fill(log)
    before = (log.directory / "tile/0/000").read_bytes()
    seen = custodian.look(log)
    assert seen.types == {"test.thing.made": seen.count}
    assert 0 < seen.count < 300, "the last, incomplete bundle stays"
    first, last = seen.ranges[0][0], seen.ranges[-1][1]
    record = approve(log)
    assert custodian.purger(log).work_off() == 0, "not before its record is published"
    assert b"only-0" in everything(log.directory)
    finish(log)
    assert log.check() > 300
    for root in (log.directory, log.mirror):
        text = everything(root / "tile")
        assert b'"only-0"' not in text
        assert f'"only-{seen.count - 1}"'.encode() not in text
        assert f'"only-{seen.count}"'.encode() in text
        assert (root / "tile/0/000").read_bytes() == before
    with log.database.read() as session:
        row = row_of(session, first)
        said = json.loads(row.content)
        assert said == {"v": 1, "purged": True, "leaf": row.leaf, "by": record}
        assert (row.actor, row.object, row.domain, row.identifier) == ("", "", "", str(row.leaf)[:32])
        assert session.get_one(EvidencePurge, record).state == "closed"
        named = session.exec(select(EvidenceRow.content).where(EvidenceRow.identifier == record)).one()
    details = json.loads(named)["details"]
    assert (details["numbers"], details["count"]) == ([[first, last]], seen.count)
    assert (details["proposer"], details["approver"]) == (PROPOSER, APPROVER)
    assert "网络安全法" in details["basis"][0]
    assert custodian.look(log).count == 0


def test_a_purged_log_is_rebuilt_exported_and_grows_on(log: Log) -> None:
    custodian.fill(log)
    approve(log)
    finish(log)
    shutil.rmtree(log.directory)
    shutil.rmtree(log.mirror)
    custodian.fill(log, 300)
    log.check()
    approve(log)
    finish(log)
    assert log.check() > 600


def test_bodies_and_references_go_with_their_record(log: Log, clock: ManualClock) -> None:
    with log.database.write() as session:
        event = Event("test.thing.made", "li-wen", "thing:1", "outer-finance")
        evidence.append(session, event, at=clock.now() - timedelta(days=400), body={"name": "演练样本"})
    custodian.fill(log)
    with log.database.write() as session:
        while reference.index_next(session):
            pass
        assert session.exec(select(EvidenceReference).where(EvidenceReference.value == "of thing:1")).all()
    approve(log)
    finish(log)
    with log.database.read() as session:
        assert session.exec(select(EvidenceBody)).all() == []
        assert session.exec(select(EvidenceReference).where(EvidenceReference.value == "of thing:1")).all() == []


def test_younger_than_the_law_allows_is_refused_with_the_clause(log: Log) -> None:
    custodian.fill(log, days=400)
    with pytest.raises(Kept, match="180 days") as caught:
        custodian.look(log, days=179)
    assert "网络安全法第二十三条第三项" in caught.value.rule
    assert "Cybersecurity Law Art. 23(3)" in caught.value.rule
    assert "2026-05-24" in caught.value.hint


def test_younger_than_its_level_stays(log: Log) -> None:
    custodian.fill(log, days=300, domain="")
    seen = custodian.look(log, days=190)
    assert seen.count == 0
    assert seen.stays["young"] == 300


def issue_records(log: Log, count: int = 300) -> None:
    with log.database.write() as session:
        for _ in range(count):
            event = Event("authz.decision.made", "li-wen", "system:x", "outer-finance", details={"serial": SERIAL})
            evidence.append(session, event, at=log.clock.now() - timedelta(days=400))
    log.sequencer().run_once()


@pytest.mark.parametrize("expired_days", [-30, 30, 5 * 365 - 2])
def test_records_of_a_certificate_stay_until_five_years_after_it_lapsed(log: Log, expired_days: int) -> None:
    custodian.enter_credential(log, expired_days=expired_days)
    issue_records(log)
    assert custodian.look(log).stays["certificate"] > 200
    with pytest.raises(Kept, match="5 years after it lapses") as caught:
        custodian.look(log, object=f"certificate:{SERIAL}")
    assert "电子签名法第二十四条" in caught.value.rule
    assert "Electronic Signature Law Art. 24" in caught.value.rule
    assert caught.value.about == f"certificate:{SERIAL}"


def test_records_of_a_certificate_go_five_years_after_it_lapsed(log: Log) -> None:
    custodian.enter_credential(log, expired_days=5 * 366)
    issue_records(log)
    assert custodian.look(log).count == custodian.look(log, object=f"certificate:{SERIAL}").count > 100


def test_an_unknown_certificate_is_never_purged(log: Log) -> None:
    custodian.fill(log, kind="pki.issuance.intended")
    with log.database.write() as session:
        for _ in range(300):
            event = Event("pki.certificate.revoked", "x", f"certificate:{SERIAL}", "outer-finance")
            evidence.append(session, event, at=log.clock.now() - timedelta(days=9_000))
    log.sequencer().run_once()
    with pytest.raises(Kept, match="unknown"):
        custodian.look(log, object=f"certificate:{SERIAL}")
    assert custodian.look(log).count == 0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.OBJECT, "thing:7"),
        (Kind.OBJECT, "person:li-wen"),
        (Kind.OBJECT, "li-wen"),
        (Kind.DOMAIN, "outer-finance"),
        (Kind.RECORDS, "0-100000"),
    ],
)
def test_a_hold_keeps_what_it_names_until_it_ends(log: Log, clock: ManualClock, kind: Kind, value: str) -> None:
    custodian.fill(log)
    with log.database.write() as session:
        until = clock.now() + timedelta(days=10)
        hold.place(session, kind=kind, value=value, reason="演练样本", until=until, actor="lu-security", at=clock.now())
    held = custodian.look(log).stays["hold"]
    assert held == (1 if value == "thing:7" else 300)
    clock.advance(days=11)
    assert custodian.look(log).stays["hold"] == 0


@pytest.mark.parametrize(
    ("named", "value"),
    [
        ({"person": "zhou-min"}, "person:zhou-min"),
        ({"person": "zhou-min"}, "zhou-min"),
        ({"holder": "zhou-min"}, "person:zhou-min"),
        ({"approver": "zhou-min"}, "person:zhou-min"),
        ({"proposer": "zhou-min"}, "person:zhou-min"),
        ({"items": [{"successor": "zhou-min"}]}, "person:zhou-min"),
        ({"candidates": ["5e" * 16, "5f" * 16]}, f"request:{'5f' * 16}"),
        ({"request_id": "5e" * 16}, f"request:{'5e' * 16}"),
        ({"request_id": "5e" * 16}, "5e" * 16),
        ({"proposal": "6a" * 16}, f"approval:{'6a' * 16}"),
    ],
)
def test_a_hold_keeps_what_a_record_names_in_its_details(
    log: Log, clock: ManualClock, named: dict[str, JsonValue], value: str
) -> None:
    custodian.fill(log, 150)
    custodian.fill(log, 150, **named)
    with log.database.write() as session:
        until = clock.now() + timedelta(days=10)
        hold.place(
            session, kind=Kind.OBJECT, value=value, reason="演练样本", until=until, actor="lu-security", at=clock.now()
        )
    assert custodian.look(log).stays["hold"] == 150


@pytest.mark.parametrize("value", ["person:zhou", "person:min", "min", "request:zhou-min", "zhou-min "])
def test_a_hold_keeps_nothing_of_another_name(log: Log, clock: ManualClock, value: str) -> None:
    custodian.fill(log, person="zhou-min")
    with log.database.write() as session:
        until = clock.now() + timedelta(days=10)
        hold.place(session, kind=Kind.OBJECT, value=value, reason="x", until=until, actor="lu-security", at=clock.now())
    assert custodian.look(log).stays["hold"] == 0


def test_a_hold_between_proposal_and_approval_stops_the_purge(log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    body = custodian.proposal(log, custodian.look(log))
    with log.database.write() as session:
        until = clock.now() + timedelta(days=10)
        hold.place(
            session, kind=Kind.OBJECT, value="thing:7", reason="x", until=until, actor="lu-security", at=clock.now()
        )
    with pytest.raises(Kept, match="no longer what the preview showed"), log.database.write() as session:
        ACT.carry_out(session, body, PROPOSER, APPROVER, clock.now())
    finish(log)
    with log.database.read() as session:
        assert session.exec(select(EvidencePurge)).all() == []
        assert session.exec(select(EvidenceRow).where(col(EvidenceRow.leaf).is_not(None))).all() == []


def test_time_alone_changes_nothing_that_was_previewed(log: Log, clock: ManualClock) -> None:
    """Records whose retention ends between preview and approval stay: the rule is that as of the preview."""
    longest = max(custodian.NUMBERS.days_by_level.values())
    custodian.fill(log, 128, days=longest + 1, domain="")
    custodian.fill(log, 172, days=longest - 1, domain="")
    seen = custodian.look(log)
    body = custodian.proposal(log, seen)
    record_at = clock.now() + timedelta(days=2)
    clock.advance(days=2)
    assert custodian.look(log, days=202).count > seen.count == 128
    with log.database.write() as session:
        told = ACT.carry_out(session, body, PROPOSER, APPROVER, clock.now())
    assert told["count"] == 128
    with log.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == told["record"])).one()
    assert row.at == record_at, "when it was approved, not when it was looked at"
    assert json.loads(row.content)["details"]["as_of"] == "2026-11-20T08:00:00.000Z"


def test_a_hold_stops_a_purge_also_when_time_has_passed(log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    body = custodian.proposal(log, custodian.look(log))
    clock.advance(days=1)
    with log.database.write() as session:
        until = clock.now() + timedelta(days=10)
        hold.place(session, kind=Kind.OBJECT, value="thing:7", reason="x", until=until, actor="lu", at=clock.now())
    clock.advance(days=1)
    with pytest.raises(Kept, match="no longer what the preview showed"), log.database.write() as session:
        ACT.carry_out(session, body, PROPOSER, APPROVER, clock.now())


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [(Kind.OBJECT, "thing:7", 1), (Kind.OBJECT, "person:zhou-min", 300), (Kind.RECORDS, "0-{tenth}", 10)],
)
def test_a_hold_between_decision_and_carrying_out_keeps_what_it_names(
    log: Log, clock: ManualClock, kind: Kind, value: str, kept: int
) -> None:
    custodian.fill(log, person="zhou-min")
    count = custodian.look(log).count
    record = approve(log)
    with log.database.read() as session:
        first = min(pair[0] for pair in json.loads(session.get_one(EvidencePurge, record).numbers))
    kept, value = min(kept, count), value.format(tenth=first + 9)
    with log.database.write() as session:
        until = clock.now() + timedelta(days=10)
        hold.place(session, kind=kind, value=value, reason="x", until=until, actor="lu-security", at=clock.now())
    finish(log)
    log.check()
    with log.database.read() as session:
        gone = session.exec(select(EvidenceRow.sequence).where(col(EvidenceRow.leaf).is_not(None))).all()
        assert len(gone) == count - kept
        assert session.get_one(EvidencePurge, record).state == "closed"
        said = session.exec(select(EvidenceRow.content).where(EvidenceRow.type == purge.PURGE_COMPLETED)).one()
    assert json.loads(said)["details"]["count"] == len(gone)
    for root in (log.directory, log.mirror):
        assert b'"only-7"' in everything(root / "tile")
    clock.advance(days=11)
    approve(log)
    finish(log)
    assert b'"only-7"' not in everything(log.mirror / "tile")


def test_what_was_looked_at_counts_only_while_the_rule_is_the_same(log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    body = custodian.proposal(log, custodian.look(log))
    assert ACT.look is not None
    with log.database.read() as session:
        looked = ACT.look(session, body, clock.now())
        for change in ({"domain": "management"}, {"through": 7}, {"as_of": "2026-11-20T07:59:59Z"}):
            with pytest.raises(Unavailable, match="at this very moment"):
                looked.consequences(session, {**body, **change}, clock.now())
    with log.database.write() as session:
        until = clock.now() + timedelta(days=10)
        hold.place(session, kind=Kind.OBJECT, value="thing:7", reason="x", until=until, actor="lu", at=clock.now())
    with pytest.raises(Unavailable, match="at this very moment"), log.database.write() as session:
        looked.carry_out(session, body, PROPOSER, APPROVER, clock.now())


def test_more_records_since_the_preview_change_nothing(log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    seen = custodian.look(log)
    body = custodian.proposal(log, seen)
    custodian.fill(log)
    with log.database.write() as session:
        told = ACT.carry_out(session, body, PROPOSER, APPROVER, clock.now())
    assert told["count"] == seen.count < custodian.look(log).count


def test_what_closes_a_checkpoint_or_proves_a_purge_stays(log: Log, clock: ManualClock) -> None:
    custodian.fill(log, 100)
    custodian.fill(log, 1, kind=BUNDLE_EXPORTED)
    custodian.fill(log, 250)
    approve(log)
    finish(log)
    with log.database.read() as session:
        assert session.exec(select(EvidenceRow).where(EvidenceRow.type == BUNDLE_EXPORTED)).one().leaf is None
    clock.advance(days=2_000)
    custodian.fill(log, 500, days=0)
    seen = custodian.look(log)
    assert seen.stays["needed"] >= 3
    with log.database.read() as session:
        purges = session.exec(select(EvidenceRow.sequence).where(EvidenceRow.type == "ledger.records.purged")).all()
    assert not any(first <= number <= last for number in purges for first, last in seen.ranges if number is not None)


@pytest.mark.parametrize(
    "change",
    [
        {"before": "yesterday"},
        {"before": "2020-01-01T00:00:00"},
        {"before": "0001-01-01T00:00:00+14:00"},
        {"before": "9999-12-31T23:59:59-12:00"},
        {"as_of": "just now"},
        {"as_of": "2026-11-20T08:00:00.001Z"},
        {"as_of": None},
        {"count": -1},
        {"count": True},
        {"count": "3"},
        {"ranges": 7},
        {"through": None},
        {"surprise": 1},
        {"domain": "x" * 300},
    ],
)
def test_hostile_bodies(log: Log, clock: ManualClock, change: dict[str, object]) -> None:
    custodian.fill(log)
    body = {**custodian.proposal(log, custodian.look(log)), **change}
    with log.database.read() as session, pytest.raises(Malformed):
        ACT.consequences(session, body, clock.now())  # type: ignore[arg-type]  # hostile


@pytest.mark.parametrize("change", [{"count": 5}, {"ranges": "0" * 64}, {"through": 10}, {"through": 10**9}])
def test_a_body_that_nobody_previewed(log: Log, clock: ManualClock, change: dict[str, object]) -> None:
    custodian.fill(log)
    body = {**custodian.proposal(log, custodian.look(log)), **change}
    if change == {"through": 10**9}:
        with log.database.read() as session:
            assert ACT.consequences(session, body, clock.now())  # type: ignore[arg-type]  # as many as there are
        return
    with log.database.read() as session, pytest.raises(Kept):
        ACT.consequences(session, body, clock.now())  # type: ignore[arg-type]  # hostile


def test_consequences_are_told(log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    seen = custodian.look(log)
    with log.database.read() as session:
        told = ACT.consequences(session, custodian.proposal(log, seen), clock.now())
    assert f"{seen.count} × test.thing.made" in told[0]


def test_a_changed_row_is_not_written_into_the_log(log: Log) -> None:
    custodian.fill(log)
    approve(log)
    log.sequencer().run_once()
    with log.database.write() as session:
        last = row_of(session, 3)
        last.content = b"{}"
        session.add(last)
    with pytest.raises(InconsistentLog, match="records 0-255"):
        custodian.purger(log).work_off()
    assert b"only-200" in everything(log.directory / "tile/entries")


@pytest.mark.parametrize("left", [None, 0, 8_000, 8_191, 8_224, 8_193])
def test_a_hash_tile_that_cannot_be_read_is_named_and_nothing_is_written(log: Log, left: int | None) -> None:
    """Gone, cut, or grown: the purge waits until the tile is there again."""
    custodian.fill(log)
    approve(log)
    log.sequencer().run_once()
    path = log.mirror / "tile/0/000"
    whole = path.read_bytes()
    if left is None:
        path.unlink()
    else:
        path.write_bytes((whole * 2)[:left])
    with pytest.raises(TrustError, match="tile"):
        custodian.purger(log).work_off()
    assert b'"only-0"' in everything(log.mirror / "tile")
    path.write_bytes(whole)
    finish(log)
    log.check()


@pytest.mark.parametrize("how", list(Failure))
@pytest.mark.parametrize("nth", [1, 2])
def test_a_failing_disk_is_tried_again(log: Log, nth: int, how: Failure) -> None:
    custodian.fill(log)
    approve(log)
    log.sequencer().run_once()
    with pytest.raises(StorageFailed):
        custodian.purger(log, FailingWriter(nth, how)).work_off()
    finish(log)
    log.check()
    for root in (log.directory, log.mirror):
        assert b'"only-0"' not in everything(root / "tile")


@pytest.mark.parametrize("how", list(Failure))
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_failing_store_is_tried_again(log: Log, nth: int, how: Failure) -> None:
    custodian.fill(log)
    approve(log)
    log.sequencer().run_once()
    database = FailingDatabase(log.database.url)
    database.arm(nth, how)
    broken = Log(database, log.clock, log.root)
    with pytest.raises(Exception, match="broken by the test"):
        custodian.purger(broken).work_off()
    database.close()
    finish(log)
    log.check()
    with log.database.read() as session:
        outcomes = session.exec(select(EvidenceRow).where(EvidenceRow.type == "ledger.purge.completed")).all()
        assert len(outcomes) == 1
        assert [one.state for one in session.exec(select(EvidencePurge))] == ["closed"]


@pytest.mark.parametrize("ranges", [[(0, 2**53 - 1)], [(0, 9), (2**40, 2**53 - 1)]])
def test_numbers_that_no_log_has_keep_nobody_busy(log: Log, ranges: list[tuple[int, int]]) -> None:
    custodian.fill(log)
    with log.database.write() as session:
        details: dict[str, JsonValue] = {"numbers": [list(pair) for pair in ranges]}
        event = Event(RECORDS_PURGED, APPROVER, "log:records", details=details)
        record = evidence.append(session, event, at=log.clock.now())
        purge.enter(session, record, ranges, at=log.clock.now())
    finish(log)
    log.check()
    with log.database.read() as session:
        gone = session.exec(select(EvidenceRow.sequence).where(col(EvidenceRow.leaf).is_not(None))).all()
        assert sorted(number for number in gone if number is not None) == [*range(min(ranges[0][1] + 1, 256))]
        assert session.get_one(EvidencePurge, record).state == "closed"
        said = session.exec(select(EvidenceRow.content).where(EvidenceRow.type == purge.PURGE_COMPLETED)).one()
    assert json.loads(said)["details"]["count"] == len(gone)


def test_an_old_bundle_that_came_back_is_written_again(log: Log) -> None:
    """A sequencer that began before the rows were replaced may write an older bundle afterwards."""
    custodian.fill(log)
    approve(log)
    log.sequencer().run_once()
    old = (log.mirror / "tile/entries/000").read_bytes()
    custodian.purger(log).work_off()
    (log.mirror / "tile/entries/000").write_bytes(old)
    finish(log)
    assert b'"only-0"' not in everything(log.mirror / "tile")
    log.check()


def test_a_certificate_that_is_issued_meanwhile_stops_no_purge(log: Log, clock: ManualClock) -> None:
    """Those that there were when the purge was shown count, and only they."""
    custodian.fill(log)
    custodian.enter_credential(log, expired_days=-300)
    body = custodian.proposal(log, custodian.look(log))
    clock.advance(hours=1)
    assert ACT.look is not None
    with log.database.read() as session:
        looked = ACT.look(session, body, clock.now())
    custodian.enter_credential(log, expired_days=-365, serial="0b" * 20)
    with log.database.write() as session:
        assert looked.carry_out(session, body, PROPOSER, APPROVER, clock.now())["count"] == body["count"]
