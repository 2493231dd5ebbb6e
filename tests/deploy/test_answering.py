"""Duties and leaving as they are served: real certificates in the scope, real policies, real tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi.testclient import TestClient
from sqlmodel import col, select

import core.duty.api
from core.clock import SystemClock
from core.database import Database
from core.duty import duty
from core.identity import PersonId, SubjectKind
from core.ledger.models import EvidenceRow
from core.registry import role
from core.registry.holding import Holders
from deploy import leaving
from pki import holding
from tests.deploy.holdings import HOLDERS, burden
from tests.monitor import province, service
from tests.monitor.test_api import Terminated
from tests.services import softhsm

BASIS = "北辰财任〔2026〕31号 演练样本"
SECURITY = "lu-security"


@dataclass
class House:
    database: Database
    site: service.Site
    door: Terminated
    client: TestClient

    def ask(self, who: str, method: str, path: str, **more: Any) -> Any:
        pem = (self.site.folder / f"{who}.pem").read_bytes()
        self.door.shown = x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)
        return self.client.request(method, f"/api/v1{path}", **more)

    def burden(self, post: str) -> str:
        with self.database.write() as session:
            return burden(session, post, 1, SystemClock().now())

    def recorded(self, type_: str) -> list[tuple[str, str, str]]:
        with self.database.read() as session:
            rows = session.exec(select(EvidenceRow).where(col(EvidenceRow.type) == type_))
            return [(row.actor, row.object, row.result) for row in rows]


@pytest.fixture
def house(sqlite_database: Database, signer_process: softhsm.Running, tmp_path: Any) -> Iterator[House]:
    database, now = sqlite_database, SystemClock().now()
    province.load(database, now - timedelta(days=1))
    site = service.establish(database, signer_process.client, tmp_path)
    for person in ("wu-ops", "zhou-head", SECURITY, "sun-yue"):
        site.issue(person, SubjectKind.PERSON)
    with database.write() as session:
        role.appoint(session, person=PersonId(SECURITY), role="security-administrator", giver="test", at=now)
    app = service.application(database, SystemClock())
    app.include_router(core.duty.api.router)
    app.include_router(leaving.router)
    app.state.provided[Holders] = HOLDERS
    door = Terminated(app)
    with TestClient(door, raise_server_exceptions=False) as client:
        yield House(database, site, door, client)


def test_a_duty_is_taken_up_by_who_holds_the_post_and_nobody_else(house: House) -> None:
    mine = house.burden("czt-operations")
    assert house.ask("sun-yue", "GET", "/duty/mine").json() == {"items": [], "total": 0}
    assert house.ask("sun-yue", "GET", f"/duty/mine/{mine}").status_code == 404
    refused = house.ask("sun-yue", "POST", f"/duty/mine/{mine}/acknowledgement", json={})
    assert (refused.status_code, refused.json()["reason"]) == (403, "not-yours")
    assert house.recorded("duty.act.refused") == [("sun-yue", f"duty:{mine}", "refused")]
    (shown,) = house.ask("wu-ops", "GET", "/duty/mine").json()["items"]
    assert (shown["id"], shown["post"], shown["holder"], shown["state"]) == (mine, "czt-operations", "wu-ops", "open")
    done = house.ask("wu-ops", "POST", f"/duty/mine/{mine}/acknowledgement", json={"note": "在办"}).json()
    assert (done["state"], done["acknowledged_by"], len(done["signature"])) == ("acknowledged", "wu-ops", 32)
    assert house.ask("wu-ops", "POST", f"/duty/mine/{mine}/conclusion", json={}).json()["state"] == "settled"
    again = house.ask("wu-ops", "POST", f"/duty/mine/{mine}/conclusion", json={})
    assert (again.status_code, again.json()["reason"]) == (409, "already-settled")


def test_everybodys_duties_are_for_who_holds_an_office(house: House) -> None:
    house.burden("czt-operations")
    assert house.ask("wu-ops", "GET", "/duty").status_code == 403
    assert house.ask(SECURITY, "GET", "/duty").json()["total"] == 1
    assert house.ask(SECURITY, "GET", "/duty", params={"post": "bgt-head"}).json()["total"] == 0
    assert house.ask(SECURITY, "GET", "/duty", params={"overdue": "true"}).json()["total"] == 0
    assert house.ask(SECURITY, "GET", "/duty/orphan").json() == {"items": []}
    standing = house.ask(SECURITY, "GET", "/status").json()
    assert (standing["open"], standing["red"], standing["orphans"]) == (1, [], [])
    assert house.ask("wu-ops", "GET", "/status/mine").json()["open"] == 1


@pytest.mark.parametrize("identifier", ["x", "0" * 32, "%00", "a" * 5000])
def test_a_duty_that_there_is_not(house: House, identifier: str) -> None:
    answer = house.ask("wu-ops", "POST", f"/duty/mine/{identifier}/acknowledgement", json={})
    assert answer.status_code in (400, 404)
    assert "Traceback" not in answer.text


def test_leaving_is_for_the_security_administrator(house: House) -> None:
    body = {"person": "zhou-head", "basis": BASIS, "successor": "wu-ops"}
    assert house.ask("wu-ops", "POST", "/register/leave", json=body).status_code == 403
    assert house.ask("zhou-head", "GET", "/identity").status_code == 200
    planned = house.ask(SECURITY, "POST", "/register/leave", json={**body, "dry_run": True}).json()
    assert house.ask("zhou-head", "GET", "/identity").status_code == 200
    done = house.ask(SECURITY, "POST", "/register/leave", json=body).json()
    assert (done["items"], done["applied"], done["left"]) == (planned["items"], True, 0)
    assert {one["kind"] for one in done["items"]} == {"certificate", "membership", "post", "role"}
    refused = house.ask("zhou-head", "GET", "/identity")
    assert (refused.status_code, refused.json()["reason"]) == (401, "revoked")
    assert house.ask(SECURITY, "GET", "/register/holding/person/zhou-head").json() == {"items": []}
    assert house.recorded("registry.person.left") == [(SECURITY, "person:zhou-head", "done")]
    assert holding.LEFT == "affiliation-changed"


def test_whoever_left_gets_no_certificate(house: House, signer_process: softhsm.Running) -> None:
    body = {"person": "sun-yue", "basis": BASIS}
    assert house.ask(SECURITY, "POST", "/register/leave", json=body).status_code == 200
    again = house.ask(SECURITY, "POST", "/register/leave", json=body)
    assert (again.status_code, again.json()["reason"]) == (422, "has-left")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"person": "zhou-head"},
        {"person": "zhou-head", "basis": "x" * 201},
        {"person": "z" * 81, "basis": BASIS},
        {"person": "zhou-head", "basis": BASIS, "successor": "wu-ops", "since": "yesterday"},
        {"person": "zhou-head", "basis": BASIS, "successor": "wu-ops", "since": "2026-11-20T08:00:00"},
        {"person": "zhou-head", "basis": BASIS, "successor": "wu-ops", "items": {"post:x": "y"}},
        {"person": "zhou-head", "basis": BASIS, "successor": "wu-ops", "more": 1},
        {"person": "zhou-head", "basis": BASIS, "successor": "\u0000"},
    ],
)
def test_a_bad_order_is_refused_whole(house: House, body: dict[str, Any]) -> None:
    before = house.ask(SECURITY, "GET", "/register/holding/person/zhou-head").json()
    answer = house.ask(SECURITY, "POST", "/register/leave", json=body)
    assert answer.status_code in (400, 404, 422)
    assert answer.json()["detail"]
    assert house.ask(SECURITY, "GET", "/register/holding/person/zhou-head").json() == before


@pytest.mark.parametrize("path", ["robot/zhou-head", "person/nobody"])
def test_holdings_of_what_is_not_known(house: House, path: str) -> None:
    answer = house.ask(SECURITY, "GET", f"/register/holding/{path}")
    assert answer.status_code == (400 if path.startswith("robot") else 200)


def test_duties_follow_the_post(house: House) -> None:
    mine = house.burden("czt-head")
    assert house.ask("zhou-head", "GET", "/duty/mine").json()["total"] == 1
    body = {"person": "zhou-head", "basis": BASIS, "successor": "wu-ops"}
    assert house.ask(SECURITY, "POST", "/register/leave", json=body).status_code == 200
    assert [one["id"] for one in house.ask("wu-ops", "GET", "/duty/mine").json()["items"]] == [mine]
    with house.database.read() as session:
        assert duty.get(session, mine).state == "open"
