"""A restore cannot bring back what was purged or erased, nor let go of what is held."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from backup.errors import Damaged
from backup.mirror import Mirror, parse_record
from backup.replay import Replay
from core.clock import SystemClock
from core.database import Database
from core.ledger import body, evidence, hold, purge, selection
from core.ledger.checkpoint import parse_verifier_key
from core.ledger.entry import Event, encode
from core.ledger.errors import BodyErased, NoBody
from core.ledger.hold import Kind
from core.ledger.models import EvidenceBody, EvidenceHold, EvidencePurge, EvidenceRow
from core.ledger.purge import Purger, TwoPeople
from core.ledger.selection import Asked
from core.ledger.stub import Stub, leaf_of
from core.ledger.tiles import encode_bundle, parse_bundle
from core.registry import accountable
from core.registry.accountable import RegisterOfRecord
from tests.backup.realm import Realm
from tests.backup.test_reconcile import Return, come_back  # noqa: F401  # a fixture
from tests.clock import ManualClock
from tests.core.ledger import custodian
from tests.core.ledger.logs import Log
from tests.ledger_check import check_ledger
from tests.people import enter_province

NOW = SystemClock().now


def old_records(realm: Realm) -> None:
    with realm.database.write() as session:
        enter_province(session, NOW())
        for number in range(280):
            event = Event(
                "test.thing.made", "li-wen", f"thing:{number}", "outer-finance", details={"n": f"only-{number}"}
            )
            evidence.append(session, event, at=NOW() - timedelta(days=400), body={"name": f"演练样本-{number}"})
    realm.sequence()


def decide(realm: Realm) -> int:
    with realm.database.write() as session:
        by = selection.rule(session, RegisterOfRecord(), accountable.retention(), NOW())
        asked = Asked(NOW() - timedelta(days=200))
        chosen = selection.select_records(session, asked, by)
        purge.decide(session, asked, chosen, by, TwoPeople("wei-auditor", "lu-security"), at=NOW())
    realm.sequence()
    return chosen.count


def carry_out(database: Database, directory: Path, mirror: Path) -> int:
    return Purger(database=database, clock=SystemClock(), directory=directory, mirror=mirror).work_off()


def stubs(database: Database) -> int:
    with database.read() as session:
        return sum(row.leaf is not None for row in session.exec(select(EvidenceRow)))


@pytest.mark.parametrize("carried_out", [True, False])
def test_what_was_purged_after_the_cut_stays_purged(realm: Realm, come_back: Return, carried_out: bool) -> None:  # noqa: F811
    old_records(realm)
    realm.point()
    count = decide(realm)
    if carried_out:
        carry_out(realm.database, realm.root / "ledger", realm.repository.evidence)
        assert stubs(realm.database) == count
    second = come_back()
    assert stubs(second.database) == (count if carried_out else 0)
    for _ in range(2):
        second.sequence()
        carry_out(second.database, second.state / "ledger", realm.repository.evidence)
    second.sequence()
    check_ledger(second.database, second.state / "ledger", second.key())
    assert stubs(second.database) == count
    with second.database.read() as session:
        assert [one.state for one in session.exec(select(EvidencePurge))] == ["closed"]
        kept = session.exec(select(EvidenceBody)).all()
        assert len(kept) == 280 - count
    for folder in (second.state / "ledger", realm.repository.evidence):
        assert b'"only-0"' not in (folder / "tile/entries/000").read_bytes()


def test_what_was_erased_or_held_after_the_cut_stays_so(realm: Realm, come_back: Return) -> None:  # noqa: F811
    with realm.database.write() as session:
        event = Event("test.thing.made", "li-wen", "thing:1", "outer-finance")
        record = evidence.append(session, event, at=NOW(), body={"name": "演练样本"})
        released = _hold(session, "thing:2")
    realm.point()
    with realm.database.write() as session:
        placed = _hold(session, "thing:3")
        hold.release(session, released, actor="lu-security", at=NOW())
        details = {"record": record, "proposer": "lu-security", "approver": "wei-auditor"}
        erased = Event("ledger.body.erased", "wei-auditor", f"record:{record}", details=details)
        evidence.append(session, erased, at=NOW())
        body.wipe(session, body.get(session, record), by="wei-auditor", at=NOW())
    second = come_back()
    with second.database.read() as session:
        with pytest.raises(BodyErased, match="wei-auditor"):
            body.read(session, record)
        assert [one.value for one in hold.active(session, NOW())] == ["thing:3"]
        assert session.get_one(EvidenceHold, released).released_by == "lu-security"
        assert session.get_one(EvidenceHold, placed).placed_by == "lu-security"


def test_bodies_that_went_with_the_store_are_named(realm: Realm, come_back: Return) -> None:  # noqa: F811
    """The mirror holds no bodies: which were lost is said, and which had been erased is told apart from them."""

    def tell(session: Session, number: int) -> str:
        event = Event("test.thing.made", "li-wen", f"thing:{number}", "outer-finance")
        return evidence.append(session, event, at=NOW(), body={"name": f"演练样本-{number}"})

    with realm.database.write() as session:
        before = tell(session, 1)
    realm.point()
    with realm.database.write() as session:
        lost, erased = tell(session, 2), tell(session, 3)
        details = {"record": erased, "proposer": "lu-security", "approver": "wei-auditor"}
        event = Event("ledger.body.erased", "wei-auditor", f"record:{erased}", details=details)
        evidence.append(session, event, at=NOW())
        body.wipe(session, body.get(session, erased), by="wei-auditor", at=NOW())
    second = come_back()
    with second.database.read() as session:
        rows = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == lost)).all()
        assert second.told["bodies_lost"] == f"1: {rows[0].sequence}"
        (told,) = session.exec(select(EvidenceRow).where(EvidenceRow.type == "backup.restore.reconciled")).all()
        assert json.loads(told.content)["details"]["bodies_lost"] == f"1: {rows[0].sequence}"
        assert body.read(session, before) == {"name": "演练样本-1"}
        with pytest.raises(BodyErased, match="wei-auditor"):
            body.read(session, erased)
        with pytest.raises(NoBody):
            body.read(session, lost)


def _hold(session: Session, value: str) -> str:
    until = NOW() + timedelta(days=30)
    row = hold.place(
        session, kind=Kind.OBJECT, value=value, reason="演练样本", until=until, actor="lu-security", at=NOW()
    )
    return row.id


def test_a_mirror_with_a_record_taken_out_is_refused(
    sqlite_database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """The hash still leads to the signed root: only the missing purge tells that somebody took the record out."""
    log = Log(sqlite_database, clock, tmp_path)
    custodian.fill(log)
    key = parse_verifier_key(log.vkey)
    Mirror(log.mirror).verify(key)
    path = log.mirror / "tile/entries/000"
    entries = parse_bundle(path.read_bytes())
    entries[7] = Stub(leaf_of(entries[7]), "ab" * 16).content()
    path.write_bytes(encode_bundle(entries))
    with pytest.raises(Damaged, match=r"record 7 .* was taken out"):
        Mirror(log.mirror).verify(key)
    entries[8] = Stub(b"\x01" * 32, "ab" * 16).content()
    path.write_bytes(encode_bundle(entries))
    with pytest.raises(Damaged, match="not those that were signed"):
        Mirror(log.mirror).verify(key)


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("ledger.records.purged", {}),
        ("ledger.records.purged", {"numbers": [[3, 1]]}),
        ("ledger.records.purged", {"numbers": "all"}),
        ("ledger.records.purged", {"numbers": [[0, 2**53 - 1]]}),
        ("ledger.purge.completed", {}),
        ("ledger.hold.placed", {"kind": "object", "value": "x", "until": "soon"}),
        ("ledger.hold.released", {}),
        ("ledger.body.erased", {}),
    ],
)
def test_hostile_records_are_refused(sqlite_database: Database, kind: str, details: dict[str, object]) -> None:
    content = encode(Event(kind, "x", "y", details=details), identifier="ab" * 16, at=NOW())  # type: ignore[arg-type]  # JSON
    with sqlite_database.write() as session, pytest.raises(Damaged, match="cannot be read"):
        Replay(session).apply(parse_record(0, content))


def test_a_stub_is_named_among_what_cannot_be_rebuilt(sqlite_database: Database) -> None:
    stub = Stub(b"\x02" * 32, "ab" * 16).content()
    with sqlite_database.write() as session:
        work = Replay(session)
        work.apply(parse_record(4, stub))
        assert [(one.sequence, one.type) for one in work.left] == [(4, "purged")]
    assert json.loads(stub)["purged"] is True


@pytest.mark.parametrize("content", [b"[" * 60_000, b"{" + b'"a":{' * 9_000, b"[]", b"7", b'{"id":"1"}', b""])
def test_what_is_no_record_is_damage(content: bytes) -> None:
    with pytest.raises(Damaged, match="record 3 of the evidence cannot be read"):
        parse_record(3, content)
