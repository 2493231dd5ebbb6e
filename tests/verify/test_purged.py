"""Bundles of a log from which records were purged, and with bodies disclosed: what holds, and what does not."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import rfc8785
from sqlmodel import select

import guosuo_verify
from core.database import Database
from core.ledger import body, bundle, evidence, purge
from core.ledger.body import Disclosed
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from core.ledger.purge import TwoPeople
from core.ledger.selection import Asked
from core.ledger.sequencer import BUNDLE_EXPORTED
from core.ledger.stub import Stub, leaf_of
from core.ledger.tiles import encode_bundle, parse_bundle
from tests.clock import ManualClock
from tests.core.ledger import custodian
from tests.core.ledger.logs import Log
from tests.verify.bundles import Members, place_of, read, write

ENTRIES = "tile/entries/000"

#: The first record that was not purged.
KEPT = 250


@pytest.fixture
def log(sqlite_database: Database, clock: ManualClock, tmp_path: Path) -> Log:
    """A log whose first records were purged by two people; it tells of one body, too."""
    log = Log(sqlite_database, clock, tmp_path)
    custodian.fill(log, KEPT, days=800)
    with log.database.write() as session:
        event = Event("test.thing.made", "li-wen", "thing:body", details={"n": 1})
        evidence.append(session, event, at=clock.now() - timedelta(days=100), body={"name": "演练样本", "n": 7})
    custodian.fill(log, 20, days=50)
    seen = custodian.look(log, days=760)
    with log.database.write() as session:
        by = custodian.rule(session, log)
        asked = Asked(clock.now() - timedelta(days=760))
        purge.decide(session, asked, seen, by, TwoPeople("wei-auditor", "lu-security"), at=clock.now())
    for _ in range(2):
        log.sequencer().run_once()
        custodian.purger(log).work_off()
    return log


def disclosed(log: Log) -> list[Disclosed]:
    with log.database.read() as session:
        record = session.exec(select(EvidenceRow.identifier).where(EvidenceRow.object == "thing:body")).one()
        return [body.disclose(session, record)]


def export(log: Log, path: Path) -> str:
    log.append(1, kind=BUNDLE_EXPORTED)
    log.sequencer().run_once()
    with path.open("wb") as out:
        bundle.write_bundle(place_of(log), log.check(), out, disclosed(log))
    return place_of(log).fingerprint


def judged(path: Path, fingerprint: str, clock: ManualClock) -> dict[str, list[str]]:
    report = guosuo_verify.verify(str(path), fingerprint, now=clock.now() + timedelta(hours=1))
    return {check.name: check.faults for check in report.checks if check.faults}


def test_a_purged_log_verifies_and_says_so(log: Log, clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    fingerprint = export(log, path)
    assert judged(path, fingerprint, clock) == {}
    lines = list(guosuo_verify.verify(str(path), fingerprint, now=clock.now()).lines())
    assert any("250 records were purged" in line for line in lines), lines


Change = Callable[[Members, str], None]


def take_out_another(members: Members, _name: str) -> None:
    """This record was not purged: a stub in its place has the right hash, and no record that names it."""
    entries = parse_bundle(members[ENTRIES])
    entries[KEPT] = Stub(leaf_of(entries[KEPT]), "ab" * 16).content()
    members[ENTRIES] = encode_bundle(entries)


def take_out_under_the_purge(members: Members, _name: str) -> None:
    """The purge is on record, but it does not name this record."""
    entries = parse_bundle(members[ENTRIES])
    by = json.loads(entries[1])["by"]
    entries[KEPT] = Stub(leaf_of(entries[KEPT]), by).content()
    members[ENTRIES] = encode_bundle(entries)


def another_hash(members: Members, _name: str) -> None:
    entries = parse_bundle(members[ENTRIES])
    entries[5] = Stub(b"\x05" * 32, json.loads(entries[5])["by"]).content()
    members[ENTRIES] = encode_bundle(entries)


def another_body(members: Members, name: str) -> None:
    said = json.loads(members[name])
    said["body"]["name"] = "somebody else"
    members[name] = rfc8785.dumps(said)


def another_salt(members: Members, name: str) -> None:
    said = json.loads(members[name])
    said["salt"] = base64.b64encode(b"\x01" * 32).decode()
    members[name] = rfc8785.dumps(said)


def no_salt(members: Members, name: str) -> None:
    said = json.loads(members[name])
    del said["salt"]
    members[name] = rfc8785.dumps(said)


def broken_salt(members: Members, name: str) -> None:
    said = json.loads(members[name])
    said["salt"] = "*"
    members[name] = rfc8785.dumps(said)


def no_json(members: Members, name: str) -> None:
    members[name] = b"\xff{"


def body_of_nobody(members: Members, name: str) -> None:
    members[f"bodies/{'0' * 32}"] = members.pop(name)


def body_of_another_record(members: Members, name: str) -> None:
    other = json.loads(parse_bundle(members["tile/entries/001.p/" + _width(members)])[0])["id"]
    members[f"bodies/{other}"] = members.pop(name)


def _width(members: Members) -> str:
    return next(name.rpartition("/")[2] for name in members if name.startswith("tile/entries/001.p/"))


@pytest.mark.parametrize(
    ("change", "check", "told"),
    [
        (take_out_another, "purges", "record 250 is gone"),
        (take_out_under_the_purge, "purges", "record 250 is gone"),
        (another_hash, "records", "record 5"),
        (another_body, "records", "is not the body"),
        (another_salt, "records", "is not the body"),
        (no_salt, "records", "is not the body"),
        (broken_salt, "records", "base64"),
        (no_json, "records", "JSON"),
        (body_of_nobody, "manifest", "of no record"),
        (body_of_another_record, "records", "is not the body"),
    ],
)
def test_what_does_not_hold_is_named(
    log: Log, clock: ManualClock, tmp_path: Path, change: Change, check: str, told: str
) -> None:
    path = tmp_path / "bundle.zip"
    fingerprint = export(log, path)
    members = read(path)
    (name,) = [one for one in members if one.startswith("bodies/")]
    change(members, name)
    manifest = json.loads(members["manifest.json"])
    others = {one: hashlib.sha256(octets).hexdigest() for one, octets in members.items() if one != "manifest.json"}
    members["manifest.json"] = rfc8785.dumps({**manifest, "members": others})
    write(path, members)
    faults = judged(path, fingerprint, clock)
    assert check in faults, faults
    assert any(told in fault for fault in faults[check]), faults
