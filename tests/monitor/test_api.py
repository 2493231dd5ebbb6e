"""The interface as it is served, on both stores: real certificates in the scope, real policies, real tables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi.testclient import TestClient
from sqlmodel import col, select
from starlette.types import ASGIApp, Receive, Scope, Send

from core.clock import SystemClock
from core.database import Database
from core.identity import SubjectKind
from core.ledger.models import EvidenceRow
from core.registry.level import Classification
from monitor import jobs
from monitor.models import Finding
from monitor.sighting import Blind, Leak
from pki import revocation
from tests.monitor import province, service

PATHS = ["/sensor/plan", "/sensor", "/sensor/window", "/alert", "/alert/x"]


class Terminated:
    """Puts the certificate that the test shows into the scope, where the server's protocol puts a peer's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.shown: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.shown is not None:
            scope.setdefault("extensions", {})["tls"] = {"client_certificate": self.shown}
        await self.app(scope, receive, send)


@dataclass
class Centre:
    database: Database
    site: service.Site
    door: Terminated
    client: TestClient

    def __post_init__(self) -> None:
        self.now = datetime.now(UTC)

    def ask(self, who: str | None, method: str, path: str, **more: Any) -> Any:
        self.door.shown = self.certificate(who) if who else None
        return self.client.request(method, f"/api/v1{path}", **more)

    def certificate(self, who: str) -> bytes:
        pem = (self.site.folder / f"{who}.pem").read_bytes()
        return x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)

    def report(self, *sightings: Leak | Blind, who: str = "sensor-1") -> Any:
        body = {"sightings": [one.model_dump(mode="json") for one in sightings]}
        return self.ask(who, "POST", "/sighting", json=body)

    def leak(self, number: int, person: str = "li-wen", **more: Any) -> Leak:
        with self.database.write() as session:
            province.passed(session, number, person, self.now)
        return province.leak(number, person, self.now + timedelta(seconds=1), **more)

    def findings(self) -> list[Finding]:
        with self.database.read() as session:
            return list(session.exec(select(Finding)))

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        with self.database.read() as session:
            rows = session.exec(select(EvidenceRow).where(col(EvidenceRow.type) == kind))
            return [json.loads(row.content) for row in rows]


@pytest.fixture
def centre(site: service.Site) -> Iterator[Centre]:
    door = Terminated(service.application(site.database, SystemClock()))
    with TestClient(door, raise_server_exceptions=False) as client:
        yield Centre(site.database, site, door, client)


def test_a_sighting_becomes_an_alert_that_the_analyst_reads(centre: Centre) -> None:
    leak = centre.leak(1)
    assert centre.report(leak).json() == {"outcomes": {leak.id: "entered"}}
    (listed,) = centre.ask(service.ANALYST, "GET", "/alert").json()["items"]
    assert listed == centre.ask(service.ANALYST, "GET", f"/alert/{listed['id']}").json()
    assert (listed["person"], listed["person_name"], listed["state"]) == ("li-wen", "李文", "named")
    assert (listed["level"], listed["ceiling"], listed["marking"]) == ("机密", "内部", "机密★10年")
    assert listed["in_charge"] == {"post": "czt-head", "person": "zhou-head", "name": "周主政"}
    assert listed["operating"] == {"post": "czt-operations", "person": "wu-ops", "name": "吴运维"}
    assert (listed["request_id"], listed["serial"]) == (leak.request_id, leak.serial)
    assert (listed["rule"], listed["count"], listed["candidates"]) == (leak.sid, 1, [])
    (record,) = centre.recorded("monitor.leak.found")
    assert record["details"]["person"] == "li-wen"


def test_it_can_be_filtered(centre: Centre) -> None:
    centre.report(centre.leak(1), centre.leak(2, "sun-yue"))

    def ids(**query: Any) -> list[str]:
        found = centre.ask(service.ANALYST, "GET", "/alert", params=query).json()["items"]
        return [one["request_id"] for one in found]

    both = [province.request_id(1), province.request_id(2)]
    assert sorted(ids()) == both
    assert ids(person="sun-yue") == both[1:]
    assert ids(request_id=both[0]) == both[:1]
    assert ids(serial=province.SERIALS["li-wen"]) == both[:1]
    assert ids(domain="inner-office") == []
    assert sorted(ids(state="named", domain="outer-finance")) == both
    assert ids(since=(centre.now + timedelta(hours=1)).isoformat()) == []
    assert len(ids(limit=1)) == 1


BAD_FILTERS = [
    "limit=0",
    "limit=1001",
    "limit=x",
    "since=yesterday",
    "since=2026-11-20T08:00:00",
    "since=0001-01-01T00:00:00Z",
    "person=%00",
    "domain=" + "x" * 81,
    "unknown=1",
]


def test_bad_filters_are_refused(centre: Centre) -> None:
    for query in BAD_FILTERS:
        answer = centre.ask(service.ANALYST, "GET", f"/alert?{query}")
        assert (answer.status_code, answer.json()["reason"]) == (400, "malformed"), query


def test_an_alert_that_is_not_there(centre: Centre) -> None:
    answer = centre.ask(service.ANALYST, "GET", "/alert/nothing")
    assert (answer.status_code, answer.json()["reason"]) == (404, "no-such-alert")
    assert centre.ask(service.ANALYST, "GET", "/alert/%00").status_code == 400


def test_without_a_certificate_nothing_is_told(centre: Centre) -> None:
    for path in PATHS:
        answer = centre.ask(None, "GET", path)
        assert (answer.status_code, answer.json()["reason"]) == (401, "no-certificate")


def test_who_may_what(centre: Centre) -> None:
    for person in ("li-wen", "zhou-head"):
        centre.site.issue(person, SubjectKind.PERSON)
    centre.site.issue("gw-1", SubjectKind.GATEWAY)
    answers = {
        (who, path): centre.ask(who, "GET", path).status_code
        for who in ("sensor-1", service.ANALYST, "li-wen", "zhou-head", "gw-1")
        for path in PATHS
    }
    expected = {("sensor-1", "/sensor/plan")} | {(service.ANALYST, path) for path in PATHS[1:]}
    assert {pair for pair, status in answers.items() if status != 403} == expected
    assert set(answers.values()) == {200, 403, 404}
    # Reporting is the sensor's alone, and a refusal leaves a record and nothing else.
    for who in (service.ANALYST, "li-wen", "gw-1"):
        assert centre.report(centre.leak(len(who)), who=who).status_code == 403
    assert centre.findings() == []
    refused = [one for one in centre.recorded("authz.decision.made") if one["result"] == "refused"]
    assert len([one for one in refused if one["details"]["action"] == "monitor:finding:report"]) >= 3


def test_a_revoked_sensor_is_not_heard(centre: Centre) -> None:
    assert centre.report().status_code == 200
    serial = x509.load_der_x509_certificate(centre.certificate("sensor-1")).serial_number
    with centre.database.write() as session:
        revocation.revoke(
            session,
            f"{serial:040x}",  # type: ignore[arg-type]
            reason="key-compromise",
            actor="test",
            at=datetime.now(UTC),
        )
    answer = centre.report(centre.leak(1))
    assert answer.status_code == 401
    assert centre.findings() == []


FOREIGN = [
    {"sensor": "sensor-2"},
    {"sensor": "sensor-2", "id": "sensor-2:00ff:1"},
    {"id": "sensor-2:00ff:1"},
    {"id": "sensor-11:00ff:1"},
]


def test_a_sensor_speaks_only_for_itself(centre: Centre) -> None:
    own = centre.leak(1)
    for more in FOREIGN:
        answer = centre.report(own, province.leak(2, "li-wen", centre.now, **more))
        assert (answer.status_code, answer.json()["reason"]) == (403, "sensor-mismatch"), more
    # Nothing of the batch is entered, not even what was its own.
    assert centre.findings() == []
    assert centre.ask(service.ANALYST, "GET", "/sensor").json()["items"] == []


UNREADABLE = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"sightings":7}',
    b'{"sightings":[{}]}',
    b'{"sightings":[{"type":"monitor.leak.sighted"}]}',
    b'{"sightings":[{"type":"other"}]}',
    b'{"sightings":[],"more":1}',
    b"\xff\xfe",
    b'{"sightings":' + b"[" * 5000,
]


def test_unreadable_reports_are_refused_whole(centre: Centre) -> None:
    for body in UNREADABLE:
        answer = centre.ask("sensor-1", "POST", "/sighting", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), body[:40]
    assert centre.findings() == []


UNFIT: list[dict[str, object]] = [
    {"marking": "机" * 81},
    {"host": "\x00"},
    {"path": "a\nb"},
    {"sid": 2**40},
    {"at": "0001-01-01T00:00:00Z"},
    {"at": "2026-11-20T08:00:00"},
    {"request_id": "x"},
    {"serial": "0" * 39},
    {"source_port": 70000},
    {"revision": 0},
    {"content": "everything"},
]


def test_unfit_sightings_are_refused(centre: Centre) -> None:
    leak = centre.leak(1).model_dump(mode="json")
    for change in UNFIT:
        answer = centre.ask("sensor-1", "POST", "/sighting", json={"sightings": [leak | change]})
        assert answer.status_code == 400, change
    assert centre.findings() == []


def test_too_many_and_too_large_reports_are_refused(centre: Centre) -> None:
    leak = centre.leak(1)
    many = [leak.model_copy(update={"id": f"sensor-1:00ff:{number}"}) for number in range(501)]
    assert centre.report(*many).status_code == 400
    huge = b'{"sightings":[' + b" " * (9 * 1024 * 1024) + b"]}"
    assert centre.ask("sensor-1", "POST", "/sighting", content=huge).status_code == 413
    assert centre.findings() == []


def test_every_sighting_of_a_batch_has_its_outcome(centre: Centre) -> None:
    good, again = centre.leak(1), centre.leak(2)
    unknown = centre.leak(3, domain="no-such-domain")
    window = Blind(id="sensor-1:blind:1:x", sensor="sensor-1", at=centre.now, cause="x")
    outcomes = centre.report(good, again, again, unknown, window).json()["outcomes"]
    assert outcomes == {good.id: "entered", again.id: "known", unknown.id: "unknown-domain", window.id: "entered"}
    assert centre.report(good, window).json()["outcomes"] == {good.id: "known", window.id: "known"}


def test_sensors_windows_and_silence_are_shown(centre: Centre) -> None:
    centre.report()
    assert [one["blind"] for one in centre.ask(service.ANALYST, "GET", "/sensor").json()["items"]] == [False]
    (job,) = jobs.jobs(centre.database)
    assert job.name == "monitor.sensor.silence"
    job.run(datetime.now(UTC) + timedelta(seconds=30))
    (sensor,) = centre.ask(service.ANALYST, "GET", "/sensor").json()["items"]
    assert (sensor["name"], sensor["blind"]) == ("sensor-1", True)
    (window,) = centre.ask(service.ANALYST, "GET", "/sensor/window").json()["items"]
    assert (window["cause"], window["until"]) == ("sensor-silent", None)
    centre.report()
    (window,) = centre.ask(service.ANALYST, "GET", "/sensor/window?limit=1").json()["items"]
    assert window["until"] is not None


def test_the_plan_is_that_of_the_register(centre: Centre) -> None:
    before = centre.ask("sensor-1", "GET", "/sensor/plan").json()
    ceilings = {one["domain"]: one["ceiling"] for one in before["domains"]}
    assert ceilings["outer-finance"] == Classification.INTERNAL
    province.set_ceiling(centre.database, "outer-finance", Classification.CONFIDENTIAL)
    after = centre.ask("sensor-1", "GET", "/sensor/plan").json()
    assert before["policy"] != after["policy"]
    # What is not above the new ceiling is entered no more, whatever an older plan said.
    leak = centre.leak(1)
    assert centre.report(leak).json() == {"outcomes": {leak.id: "not-above-ceiling"}}
