"""Duties and leaving as they are served: real certificates in the scope, real policies, real tables."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi.testclient import TestClient
from sqlmodel import col, select

import core.approval.api
import core.duty.api
from core.access import Decision, DecisionPoint, DecisionRequest
from core.approval import acts, administrator
from core.approval.acts import Acts
from core.clock import SystemClock, to_rfc3339
from core.database import Database
from core.duty import duty, statement
from core.identity import PersonId, SubjectKind
from core.ledger.models import EvidenceRow
from core.registry import role
from core.registry.holding import Holders
from core.signed import Statement
from core.signing import Origin
from deploy import departure, leaving
from deploy.privatekey import PrivateKey
from pki import holding, revocation
from tests.deploy.holdings import HOLDERS, burden
from tests.monitor import province, service
from tests.monitor.test_api import Terminated
from tests.services import softhsm

BASIS = "北辰财任〔2026〕31号 演练样本"
SECURITY = "lu-security"
ORIGIN = "guosuo.example/evidence"


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

    def act(self, who: str, noun: str, identifier: str, *, note: str = "", **signs: str) -> Any:
        """Take up or conclude a duty, signed with the person's key over what the service shows of it."""
        with self.database.read() as session:
            row = duty.get(session, identifier)
        read = {"kind": row.kind, "about": row.object, "title": row.title, "stage": row.stage, "note": note}
        digest = statement.digest(**{**read, **signs})
        act = statement.ACKNOWLEDGE if noun == "acknowledgement" else statement.CONCLUDE
        key = PrivateKey(self.site.folder / f"{who}.key")
        at = SystemClock().now()
        text = Statement(act, f"duty:{identifier}", digest, who, at, ORIGIN).text
        signature = base64.b64encode(key.sign(text.encode())).decode()
        body = {"note": note, "signed": {"at": to_rfc3339(at), "signature": signature}}
        return self.ask(who, "POST", f"/duty/mine/{identifier}/{noun}", json=body)

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
    app.include_router(core.approval.api.router)
    app.include_router(core.duty.api.router)
    app.include_router(leaving.router)
    app.state.provided[Holders] = HOLDERS
    app.state.provided[Origin] = Origin(ORIGIN)
    shipped = [one for one in acts.load() if one.act in (administrator.NAME, departure.NAME)]
    app.state.provided[Acts] = Acts(shipped, [administrator.ACT, departure.act(HOLDERS)])
    door = Terminated(app)
    with TestClient(door, raise_server_exceptions=False) as client:
        yield House(database, site, door, client)


def test_a_duty_is_taken_up_by_who_holds_the_post_and_nobody_else(house: House) -> None:
    mine = house.burden("czt-operations")
    # Whoever holds neither post nor office has no duties, and cannot even look.
    assert house.ask("sun-yue", "GET", "/duty/mine").status_code == 403
    assert house.ask("zhou-head", "GET", "/duty/mine").json() == {"items": [], "total": 0}
    assert house.ask("zhou-head", "GET", f"/duty/mine/{mine}").status_code == 404
    refused = house.act("zhou-head", "acknowledgement", mine)
    assert (refused.status_code, refused.json()["reason"]) == (403, "not-yours")
    assert house.recorded("duty.act.refused") == [("zhou-head", f"duty:{mine}", "refused")]
    (shown,) = house.ask("wu-ops", "GET", "/duty/mine").json()["items"]
    assert (shown["id"], shown["post"], shown["holder"], shown["state"]) == (mine, "czt-operations", "wu-ops", "open")
    done = house.act("wu-ops", "acknowledgement", mine, note="在办").json()
    assert (done["state"], done["acknowledged_by"], len(done["signature"])) == ("acknowledged", "wu-ops", 32)
    assert house.act("wu-ops", "conclusion", mine).json()["state"] == "settled"
    again = house.act("wu-ops", "conclusion", mine)
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


@dataclass(frozen=True)
class RevokingAfter:
    """Decides as the real one does; then, before the act, somebody revokes the certificate."""

    decides: DecisionPoint
    database: Database

    def decide(self, request: DecisionRequest) -> Decision:
        decision = self.decides.decide(request)
        with self.database.write() as session:
            revocation.revoke(
                session, request.principal.serial, reason="superseded", actor="test", at=SystemClock().now()
            )
        return decision


def test_an_act_is_not_signed_with_a_certificate_that_was_revoked_before_it(house: House) -> None:
    """Or whoever checks the evidence finds a signed act behind the revocation of its certificate."""
    mine = house.burden("czt-operations")
    provided = house.client.app.app.state.provided  # type: ignore[attr-defined]
    provided[DecisionPoint] = RevokingAfter(provided[DecisionPoint], house.database)
    refused = house.act("wu-ops", "acknowledgement", mine)
    assert (refused.status_code, refused.json()["reason"]) == (401, "revoked")
    assert house.recorded("duty.duty.acknowledged") == []
    with house.database.read() as session:
        assert duty.get(session, mine).state == "open"


@pytest.mark.parametrize("read", [{"title": "something else"}, {"stage": "7"}, {"kind": "drill"}, {"about": "alert:2"}])
def test_a_signature_over_something_else_is_none(house: House, read: dict[str, str]) -> None:
    mine = house.burden("czt-operations")
    refused = house.act("wu-ops", "acknowledgement", mine, **read)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad-signature")
    assert house.ask("wu-ops", "GET", f"/duty/mine/{mine}").json()["state"] == "open"
    assert house.recorded("duty.duty.acknowledged") == []


def test_what_is_recorded_can_be_checked_by_anybody(house: House) -> None:
    mine = house.burden("czt-operations")
    done = house.act("wu-ops", "acknowledgement", mine, note="在办").json()
    with house.database.read() as session:
        row = session.exec(select(EvidenceRow).where(EvidenceRow.identifier == done["signature"])).one()
    kept = json.loads(row.content)["details"]["signed"]
    stated = json.loads(kept["text"])
    assert (stated["person"], stated["act"], stated["object"]) == ("wu-ops", "duty.acknowledge", f"duty:{mine}")
    key = x509.load_der_x509_certificate(base64.b64decode(kept["certificate"])).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(kept["signature"]), kept["text"].encode(), ec.ECDSA(hashes.SHA256()))


def test_nothing_is_taken_up_without_a_signature(house: House) -> None:
    mine = house.burden("czt-operations")
    for body in (
        {},
        {"note": "x"},
        {"signed": {"at": "now", "signature": "AA=="}},
        {"signed": {"at": "", "signature": ""}},
    ):
        answer = house.ask("wu-ops", "POST", f"/duty/mine/{mine}/acknowledgement", json=body)
        assert answer.status_code in (400, 422)
    assert house.ask("wu-ops", "GET", f"/duty/mine/{mine}").json()["state"] == "open"


@pytest.mark.parametrize("identifier", ["x", "0" * 32, "%00", "a" * 5000])
def test_a_duty_that_there_is_not(house: House, identifier: str) -> None:
    body = {"signed": {"at": to_rfc3339(SystemClock().now()), "signature": "AAAA"}}
    answer = house.ask("wu-ops", "POST", f"/duty/mine/{identifier}/acknowledgement", json=body)
    assert answer.status_code in (400, 404)
    assert "Traceback" not in answer.text


def test_leaving_is_for_the_security_administrator(house: House) -> None:
    body = {"person": "zhou-head", "basis": BASIS, "successor": "wu-ops"}
    assert house.ask("wu-ops", "POST", "/register/leave", json=body).status_code == 403
    assert house.ask("zhou-head", "GET", "/duty/mine").status_code == 200
    planned = house.ask(SECURITY, "POST", "/register/leave", json={**body, "dry_run": True}).json()
    assert house.ask("zhou-head", "GET", "/duty/mine").status_code == 200
    done = house.ask(SECURITY, "POST", "/register/leave", json=body).json()
    assert (done["items"], done["applied"], done["left"]) == (planned["items"], True, 0)
    assert {one["kind"] for one in done["items"]} == {"certificate", "membership", "post", "role"}
    refused = house.ask("zhou-head", "GET", "/duty/mine")
    assert (refused.status_code, refused.json()["reason"]) == (401, "revoked")
    assert house.recorded("access.act.refused") == [("zhou-head", "person:zhou-head", "refused")]
    assert house.ask(SECURITY, "GET", "/register/holding/person/zhou-head").json() == {"items": []}
    assert house.recorded("registry.person.left") == [(SECURITY, "person:zhou-head", "done")]
    assert holding.LEFT == "affiliation-changed"


def test_one_of_the_three_administrators_leaves_by_an_act_of_two(house: House) -> None:
    body = {"person": SECURITY, "basis": BASIS, "items": {"role:site/security-administrator": "sun-yue"}}
    planned = house.ask(SECURITY, "POST", "/register/leave", json={**body, "dry_run": True}).json()
    assert planned["needs_two"] is True
    refused = house.ask(SECURITY, "POST", "/register/leave", json=body)
    assert (refused.status_code, "two people" in refused.json()["detail"]) == (403, True)
    assert house.ask(SECURITY, "GET", "/duty/mine").status_code == 200


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


def test_a_body_that_cannot_be_signed_is_refused_at_once(house: House) -> None:
    """Also when it is only looked at: whoever previews is told what proposing would say."""
    signature = {"at": to_rfc3339(SystemClock().now()), "signature": "AAAA"}
    nested = json.loads("[" * 200 + "]" * 200)
    for incoming in ("\ud800", "a\0", 1.5, 10**30, float("inf"), "x" * 20_000, nested, {"\ud800": 1}, True):
        body = {"act": administrator.NAME, "body": {"role": "auditor", "incoming": incoming}, "reason": "演练样本"}
        for path, asked in (("/approval/preview", body), ("/approval", {**body, "signed": signature})):
            text, json_ = json.dumps(asked), {"content-type": "application/json"}
            answer = house.ask(SECURITY, "POST", path, content=text, headers=json_)
            assert (answer.status_code, answer.json()["reason"]) == (400, "malformed"), answer.text


def test_a_time_that_is_none_is_refused(house: House) -> None:
    body = {"act": administrator.NAME, "body": {"role": "auditor", "incoming": "li-wen"}, "reason": "演练样本"}
    signature = {"at": "0001-01-01T00:00:00.000+14:00", "signature": "AAAA"}
    answer = house.ask(SECURITY, "POST", "/approval", json={**body, "signed": signature})
    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed"), answer.text
