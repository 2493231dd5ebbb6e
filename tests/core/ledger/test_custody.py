"""Custody over HTTP, with the enforcement of the real router class, on both stores."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest
import rfc8785
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, event
from sqlmodel import select

from core.access import Authenticator, Decision, DecisionPoint, DecisionRequest
from core.clock import Clock
from core.database import Database
from core.ledger import api, custody, evidence, handing, proof, purge
from core.ledger import body as bodies
from core.ledger.checkpoint import parse_verifier_key
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from core.ledger.place import LedgerPlace
from core.ledger.purge import TwoPeople
from core.ledger.register import Register
from core.ledger.retention import Retention
from core.ledger.selection import Asked
from core.web import install_error_handlers
from tests.clock import ManualClock
from tests.core.ledger import custodian
from tests.core.ledger.custodian import SERIAL
from tests.core.ledger.logs import Log
from tests.core.ledger.test_api import AUDITOR, OTHER, Tls, TwoCertificates
from tests.core.ledger.test_bundle import sequencing
from tests.failing import FailingDatabase, Failure
from tests.people import enter_province
from tests.verify.bundles import place_of

BASE = "/api/v1/evidence"


class AuditorOnly:
    """Permits everything of the evidence to the auditor, nothing to anybody else."""

    def decide(self, request: DecisionRequest) -> Decision:
        allowed = request.principal.identifier == "auditor" and request.action.startswith("evidence:")
        return Decision(allowed, "permitted" if allowed else "no-permit", "", (), "the auditor", request.request_id)


@pytest.fixture
def client(log: Log, clock: ManualClock) -> Iterator[TestClient]:
    with log.database.write() as session:
        enter_province(session, clock.now() - timedelta(days=1))
    app = FastAPI()
    app.state.provided = {
        Database: log.database,
        Clock: clock,
        Authenticator: TwoCertificates(),
        DecisionPoint: AuditorOnly(),
        LedgerPlace: place_of(log),
        Register: custodian.REGISTER,
        Retention: custodian.NUMBERS,
    }
    for router in (api.router, custody.router, handing.router):
        app.include_router(router)
    install_error_handlers(app)
    with TestClient(Tls(app), raise_server_exceptions=False, headers=AUDITOR) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/trace?what=1"),
        ("GET", "/purge?before=2020-01-01T00:00:00Z"),
        ("GET", "/hold"),
        ("POST", "/hold"),
        ("POST", f"/hold/{'0' * 32}/release"),
        ("GET", f"/body/{'0' * 32}"),
        ("POST", "/extract"),
        ("POST", "/bundle/disclosed"),
    ],
)
def test_nobody_else_gets_anything(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, BASE + path, headers=OTHER).status_code == 403


def test_preview_of_a_purge(client: TestClient, log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    before = (clock.now() - timedelta(days=200)).isoformat()
    seen = client.get(f"{BASE}/purge", params={"before": before}).json()
    assert seen["types"] == {"test.thing.made": seen["count"]}
    assert seen["stays"] == {"unpublished": 300 - seen["count"]}
    assert seen["proposal"]["ranges"] == custodian.look(log).digest
    nothing = client.get(f"{BASE}/purge", params={"before": before, "domain": "management"}).json()
    assert (nothing["count"], nothing["first"]) == (0, None)


def test_a_purge_that_the_law_forbids_is_refused_and_on_record(
    client: TestClient, log: Log, clock: ManualClock
) -> None:
    custodian.enter_credential(log, expired_days=-30)
    young = client.get(f"{BASE}/purge", params={"before": (clock.now() - timedelta(days=179)).isoformat()})
    assert young.status_code == 422
    assert "180 days" in young.json()["detail"]
    old = (clock.now() - timedelta(days=400)).isoformat()
    alive = client.get(f"{BASE}/purge", params={"before": old, "object": f"certificate:{SERIAL}"})
    assert alive.status_code == 422
    with log.database.read() as session:
        rows = session.exec(select(EvidenceRow).where(EvidenceRow.type == "access.act.refused")).all()
    rules = [json.loads(row.content)["details"]["rule"] for row in rows]
    assert "网络安全法第二十三条第三项" in rules[0]
    assert "Cybersecurity Law Art. 23(3)" in rules[0]
    assert "电子签名法第二十四条" in rules[1]
    assert "Electronic Signature Law Art. 24" in rules[1]
    assert [row.object for row in rows] == ["log:records", f"certificate:{SERIAL}"]


EDGES = ["0001-01-01T00:00:00%2B14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"]


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("path", ["?since=", "?until=", "/trace?what=person:li-wen&as_of=", "/purge?before="])
def test_times_at_the_edge_of_the_calendar(client: TestClient, path: str, edge: str) -> None:
    answer = client.get(BASE + path + edge)
    assert answer.status_code == 400, answer.text
    assert "between the years 1970 and 9900" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [{}, {"before": "soon"}, {"before": "2020-01-01T00:00:00"}, {"before": "2020-01-01T00:00:00Z", "force": "1"}],
)
def test_hostile_previews(client: TestClient, query: dict[str, str]) -> None:
    assert client.get(f"{BASE}/purge", params=query).status_code == 400


def test_holds(client: TestClient, log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    until = (clock.now() + timedelta(days=30)).isoformat()
    asked = {"kind": "domain", "value": "outer-finance", "reason": "演练样本: 李文", "until": until}
    placed = client.post(f"{BASE}/hold", json=asked).json()
    assert placed["active"]
    assert custodian.look(log).stays == {"hold": 300}
    (listed,) = client.get(f"{BASE}/hold").json()["items"]
    assert (listed["reason"], listed["placed_by"]) == (asked["reason"], "auditor")
    released = client.post(f"{BASE}/hold/{placed['id']}/release")
    assert released.json()["active"] is False
    assert custodian.look(log).count > 0
    assert client.post(f"{BASE}/hold/{placed['id']}/release").status_code == 409
    assert client.post(f"{BASE}/hold/{'0' * 32}/release").status_code == 404
    with log.database.read() as session:
        found = session.exec(select(EvidenceRow).where(EvidenceRow.type.like("ledger.hold.%"))).all()  # type: ignore[attr-defined]  # a column
    assert [row.type for row in found] == ["ledger.hold.placed", "ledger.hold.released"]
    assert all("李文".encode() not in row.content for row in found)


def test_holds_come_in_pages(client: TestClient, log: Log, clock: ManualClock) -> None:
    custodian.fill(log)
    until = (clock.now() + timedelta(days=30)).isoformat()
    for number in range(5):
        clock.advance(seconds=1)
        asked = {"kind": "object", "value": f"person:p{number}", "reason": "演练样本", "until": until}
        assert client.post(f"{BASE}/hold", json=asked).status_code == 201
    pages = [client.get(f"{BASE}/hold", params={"limit": 2, "offset": offset}).json() for offset in (0, 2, 4, 6)]
    assert [page["total"] for page in pages] == [5] * 4
    assert [[one["value"] for one in page["items"]] for page in pages] == [
        ["person:p4", "person:p3"],
        ["person:p2", "person:p1"],
        ["person:p0"],
        [],
    ]
    for bad in ({"limit": 0}, {"limit": 1_001}, {"offset": -1}):
        assert client.get(f"{BASE}/hold", params=bad).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "everything"},
        {"value": ""},
        {"value": "x\x00y"},
        {"value": "y" * 300},
        {"kind": "records", "value": "9-3"},
        {"kind": "records", "value": "-1"},
        {"kind": "records", "value": "1-"},
        {"reason": "  "},
        {"reason": "z" * 3_000},
        {"until": "2020-01-01T00:00:00Z"},
        {"until": "2030-01-01"},
        {"until": "9999-12-31T23:59:59-12:00"},
        {"until": "9999-12-31T23:59:59Z"},
        {"extra": 1},
    ],
)
def test_hostile_holds(client: TestClient, log: Log, change: dict[str, object]) -> None:
    asked = {"kind": "object", "value": "person:x", "reason": "r", "until": "2030-01-01T00:00:00Z", **change}
    assert client.post(f"{BASE}/hold", json=asked).status_code == 400
    assert client.get(f"{BASE}/hold").json()["items"] == []


def with_body(log: Log) -> str:
    with log.database.write() as session:
        event = Event("test.thing.made", "li-wen", "thing:1", "outer-finance")
        return evidence.append(session, event, at=log.clock.now(), body={"name": "演练样本"})


def test_a_body_and_its_proof(client: TestClient, log: Log) -> None:
    record = with_body(log)
    shown = client.get(f"{BASE}/body/{record}").json()
    assert shown["body"] == {"name": "演练样本"}
    committed = hashlib.sha256(bytes.fromhex(shown["salt"]) + rfc8785.dumps(shown["body"])).hexdigest()
    (row,) = client.get(BASE, params={"object": "thing:1"}).json()["items"]
    assert row["details"]["body"]["sha256"] == committed
    (told,) = client.get(BASE, params={"type": "ledger.body.disclosed"}).json()["items"]
    assert (told["object"], told["actor"], told["domain"]) == (f"record:{record}", "auditor", "outer-finance")
    assert "演练样本" not in json.dumps(told, ensure_ascii=False)
    assert client.get(f"{BASE}/body/{'0' * 32}").status_code == 404
    assert client.get(f"{BASE}/body/nonsense").status_code == 400


def test_nothing_is_disclosed_that_is_not_recorded(client: TestClient, log: Log) -> None:
    """What was refused disclosed nothing."""
    record = with_body(log)
    client.get(f"{BASE}/body/{'0' * 32}")
    assert client.get(f"{BASE}/body/{record}", headers=OTHER).status_code == 403
    with log.database.write() as session:
        bodies.wipe(session, bodies.get(session, record), by="lu-security", at=log.clock.now())
    assert client.get(f"{BASE}/body/{record}").json()["reason"] == "body-erased"
    assert client.get(BASE, params={"type": "ledger.body.disclosed"}).json()["items"] == []


@pytest.mark.parametrize("how", list(Failure))
def test_a_disclosure_that_cannot_be_recorded_is_none(client: TestClient, log: Log, how: Failure) -> None:
    record = with_body(log)
    broken = FailingDatabase(log.database.url)
    broken.arm(1, how)
    tls = client.app
    assert isinstance(tls, Tls)
    assert isinstance(tls.app, FastAPI)
    tls.app.state.provided[Database] = broken
    answer = client.get(f"{BASE}/body/{record}")
    broken.close()
    assert answer.status_code == 503
    assert "演练样本" not in answer.text


def test_a_bundle_with_disclosed_bodies(client: TestClient, log: Log) -> None:
    record = with_body(log)
    with sequencing(log):
        response = client.post(f"{BASE}/bundle/disclosed", json={"bodies": [record, record]})
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        said = json.loads(archive.read(f"bodies/{record}"))
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["members"][f"bodies/{record}"] == hashlib.sha256(archive.read(f"bodies/{record}")).hexdigest()
    assert (said["record"], said["body"]) == (record, {"name": "演练样本"})
    with log.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "ledger.bundle.exported")).one()
    assert json.loads(row.content)["details"]["disclosed"] == [record]
    missing = client.post(f"{BASE}/bundle/disclosed", json={"bodies": ["0" * 32]})
    assert missing.status_code == 404


def test_a_few_records_with_their_proofs(client: TestClient, log: Log) -> None:
    with log.database.write() as session:
        wanted = evidence.append(session, Event("test.thing.made", "li-wen", "thing:1"), at=log.clock.now())
    log.sequencer().run_once()
    with log.database.read() as session:
        number = session.exec(select(EvidenceRow.sequence).where(EvidenceRow.identifier == wanted)).one()
    response = client.post(f"{BASE}/extract", json={"records": [wanted, str(number), "0"]})
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert set(archive.namelist()) == {
            "README.md",
            "verifier-key",
            "records/0.tlog-proof",
            f"records/{number}.tlog-proof",
        }
        key = parse_verifier_key(archive.read("verifier-key").decode())
        parsed = proof.parse_record_proof(archive.read(f"records/{number}.tlog-proof"))
    parsed.verify(key)
    assert json.loads(parsed.record)["id"] == wanted
    with log.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.type == "ledger.extract.exported")).one()
    assert json.loads(row.content)["details"]["numbers"] == [0, number]


def test_the_writer_does_not_wait_for_proofs(client: TestClient, log: Log) -> None:
    log.append(5)
    log.sequencer().run_once()
    waited: list[str] = []

    def before(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        if "guosuo_write" in connection.get_execution_options():
            waited.append(statement.split(maxsplit=1)[0])

    event.listen(log.database.engine, "before_cursor_execute", before)
    answer = client.post(f"{BASE}/extract", json={"records": ["1", "3"]})
    event.remove(log.database.engine, "before_cursor_execute", before)
    assert answer.status_code == 200, answer.text
    assert [one for one in waited if one != "BEGIN"] == ["INSERT"]


@pytest.mark.parametrize("records", [[], ["x"], ["999999"], ["0" * 32], ["1"] * 201, "1", [1], [""]])
def test_hostile_extracts(client: TestClient, log: Log, records: object) -> None:
    log.sequencer().run_once()
    assert client.post(f"{BASE}/extract", json={"records": records}).status_code in (400, 404, 422)


def test_a_purged_record_is_shown_as_such_and_has_no_proof(client: TestClient, log: Log) -> None:
    custodian.fill(log)
    with log.database.write() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.object == "thing:3")).one()
        number = row.sequence
        custodian.replace(session, row)
    (shown,) = [one for one in client.get(BASE, params={"limit": 1000}).json()["items"] if one["type"] == "purged"]
    assert (shown["sequence"], shown["at"], shown["actor"]) == (number, "", "")
    assert shown["details"]["purged_by"] == "ab" * 16
    assert client.get(f"{BASE}/trace", params={"what": str(number)}).status_code == 404


def test_proving_a_purged_record_says_that_it_was_purged(client: TestClient, log: Log) -> None:
    custodian.fill(log)
    seen = custodian.look(log)
    with log.database.write() as session:
        asked, people = Asked(log.clock.now() - timedelta(days=200)), TwoPeople("wei-auditor", "lu-security")
        by = purge.decide(session, asked, seen, custodian.rule(session, log), people, at=log.clock.now())
    for _ in range(2):
        log.sequencer().run_once()
        custodian.purger(log).work_off()
    number = seen.ranges[0][0]
    answer = client.get(f"{BASE}/{number}/proof")
    told = answer.json()
    said = f"record {number} was purged"
    assert (answer.status_code, told["reason"], told["detail"]) == (404, "unknown-record", said)
    assert told["hint"] == f"record `{by}` says by whom and why"
    # Whoever asks by the id that the record had learns no more than that nothing is called so.
    assert client.get(f"{BASE}/{'0' * 32}/proof").json()["reason"] == "unknown-record"
    assert client.get(f"{BASE}/{by}/proof").status_code == 200


def test_trace(client: TestClient, log: Log) -> None:
    with log.database.write() as session:
        details = {"request_id": "5e" * 16, "serial": SERIAL, "person": "li-wen"}
        event = Event("monitor.leak.found", "device:sensor-1", "alert:1", "outer-finance", details=details)
        evidence.append(session, event, at=log.clock.now())
    log.sequencer().run_once()
    found = client.get(f"{BASE}/trace", params={"what": "alert:1"}).json()
    assert found["tree"]["name"] == "alert:1"
    assert {"certificate", "domain", "person", "request"} <= {
        one["name"].split(":")[0] for one in found["tree"]["things"]
    }
    assert client.get(f"{BASE}/trace", params={"what": "alert:1", "as_of": "2020-01-01T00:00:00Z"}).status_code == 404
    assert client.get(f"{BASE}/trace", params={"what": "nobody"}).status_code == 404
    assert client.get(f"{BASE}/trace", params={"what": "a b"}).status_code == 400
    assert client.get(f"{BASE}/trace", params={"what": "a\x00b"}).status_code == 400
    assert client.get(f"{BASE}/trace").status_code == 400
