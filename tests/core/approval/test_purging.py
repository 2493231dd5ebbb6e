"""A purge by two people over HTTP: every record is looked through, and the store's one writer does not wait for it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, event
from starlette.types import ASGIApp, Receive, Scope, Send

from core.access import Authenticator, Decision, DecisionPoint, DecisionRequest
from core.approval import acts, api, content, purge
from core.approval.acts import Acts
from core.clock import Clock
from core.database import Database
from core.identity import Principal
from core.ledger import custody
from core.ledger.register import Register
from core.ledger.retention import Retention
from core.registry.credential import CredentialStanding
from core.signing import GoodStanding, Origin
from core.web import install_error_handlers
from tests.clock import ManualClock
from tests.core.approval.desk import AUDITOR, SECURITY, SYSTEM, opened
from tests.core.ledger import custodian
from tests.core.ledger.logs import Log
from tests.core.signers import ORIGIN, Signer

APPROVALS, REASON = "/api/v1/approval", "演练样本"


class Everything:
    """Permits everything: who may approve what is looked at by the act itself."""

    def decide(self, request: DecisionRequest) -> Decision:
        return Decision(True, "permitted", "", (), "", request.request_id)


class Known:
    """Knows people by their certificates."""

    def __init__(self, people: dict[str, Signer], clock: Clock) -> None:
        self.people = {one.certificate: one for one in people.values()}
        self.clock = clock

    def authenticate(self, certificate: bytes) -> Principal:
        return self.people[certificate].peer(self.clock.now()).principal


class Office:
    """The people at their machines: each request shows the certificate of whoever makes it."""

    def __init__(self, app: ASGIApp, people: dict[str, Signer], clock: Clock) -> None:
        self.app, self.people, self.clock = app, people, clock
        self.who = AUDITOR

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})["tls"] = {"client_certificate": self.people[self.who].certificate}
        await self.app(scope, receive, send)

    def signed(self, act: str, on: str, digest: str) -> dict[str, object]:
        return self.people[self.who].sign(act, on, digest, self.clock.now()).model_dump()


@pytest.fixture
def office(database: Database, clock: ManualClock) -> Office:
    people = opened(database, clock).people
    (ruling,) = (one for one in acts.load() if one.act == purge.NAME)
    app = FastAPI()
    app.state.provided = {
        Database: database,
        Clock: clock,
        Authenticator: Known(people, clock),
        DecisionPoint: Everything(),
        Origin: Origin(ORIGIN),
        GoodStanding: CredentialStanding(),
        Acts: Acts([ruling], [purge.act(custodian.REGISTER, custodian.NUMBERS)]),
        Register: custodian.REGISTER,
        Retention: custodian.NUMBERS,
    }
    for router in (api.router, custody.router):
        app.include_router(router)
    install_error_handlers(app)
    return Office(app, people, clock)


@pytest.fixture
def client(office: Office) -> Iterator[TestClient]:
    with TestClient(office, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def log(database: Database, clock: ManualClock, tmp_path: Path, office: Office) -> Log:
    made = Log(database, clock, tmp_path)
    custodian.fill(made)
    return made


def proposal(client: TestClient, office: Office) -> dict[str, object]:
    """Look at what a purge would take, and sign it."""
    before = (office.clock.now() - timedelta(days=200)).isoformat()
    body = client.get("/api/v1/evidence/purge", params={"before": before}).json()["proposal"]
    digest = content.proposal(act=purge.NAME, object_="log:records", body=body, reason=REASON)
    signed = office.signed(content.PROPOSE, "log:records", digest)
    return {"act": purge.NAME, "body": body, "reason": REASON, "signed": signed}


def decide(client: TestClient, office: Office, verb: str, shown: dict[str, object]) -> dict[str, object]:
    digest = content.decision(proposal=str(shown["digest"]), revision=1, comment=REASON)
    signed = office.signed(f"approval.{verb}", content.name(str(shown["id"])), digest)
    answer = client.post(f"{APPROVALS}/{shown['id']}/{verb}", json={"comment": REASON, "signed": signed})
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


@pytest.fixture
def scans(log: Log) -> list[bool]:
    """Say for each look through the records whether a write transaction waited for it."""
    seen: list[bool] = []

    def before(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        if "evidence.leaf IS NULL" in statement:
            seen.append("guosuo_write" in connection.get_execution_options())

    event.listen(log.database.engine, "before_cursor_execute", before)
    return seen


def test_no_write_transaction_looks_through_the_records(
    client: TestClient, office: Office, log: Log, clock: ManualClock, scans: list[bool]
) -> None:
    asked = proposal(client, office)
    shown = client.post(APPROVALS, json=asked).json()
    assert shown["state"] == "waiting", shown
    assert "154 records" in shown["consequences"][0]
    clock.advance(hours=30)
    office.who = SECURITY
    done = decide(client, office, "approve", shown)
    assert (done["state"], done["result"]) == ("done", "carried out")
    assert len(scans) == 3, "the preview, the proposal, the approval"
    assert not any(scans)


def test_nor_does_one_that_gives_it_back(client: TestClient, office: Office, log: Log, scans: list[bool]) -> None:
    shown = client.post(APPROVALS, json=proposal(client, office)).json()
    office.who = SECURITY
    assert decide(client, office, "return", shown)["state"] == "returned"
    office.who = AUDITOR
    again = proposal(client, office)
    body, digest = (
        again["body"],
        content.proposal(act=purge.NAME, object_="log:records", body=again["body"], reason=REASON),
    )
    signed = office.signed(content.RESUBMIT, content.name(shown["id"]), digest)
    answer = client.post(f"{APPROVALS}/{shown['id']}/resubmit", json={"body": body, "reason": REASON, "signed": signed})
    assert answer.json()["state"] == "waiting", answer.text
    assert scans
    assert not any(scans)


def test_nobody_else_makes_the_service_look_through_the_records(
    client: TestClient, office: Office, log: Log, scans: list[bool]
) -> None:
    """Neither whoever may propose other acts, nor for a bad signature: what they ask is refused unread."""
    shown = client.post(APPROVALS, json=proposal(client, office)).json()
    office.who = SYSTEM
    asked = proposal(client, office)
    scans.clear()
    digest = content.decision(proposal=str(shown["digest"]), revision=1, comment=REASON)
    word = {"comment": REASON, "signed": office.signed(content.APPROVE, content.name(shown["id"]), digest)}
    corrected = {"body": asked["body"], "reason": REASON, "signed": word["signed"]}
    for path, body, status in (
        ("", asked, 403),
        (f"/{shown['id']}/approve", word, 403),
        (f"/{shown['id']}/return", word, 422),
        (f"/{shown['id']}/resubmit", corrected, 422),
    ):
        assert client.post(f"{APPROVALS}{path}", json=body).status_code == status, path
    assert scans == []


def test_what_cannot_be_looked_at_is_refused_as_before(client: TestClient, office: Office, log: Log) -> None:
    asked = proposal(client, office)
    assert client.post(APPROVALS, json={**asked, "act": "evidence.forget"}).status_code == 404
    assert client.post(APPROVALS, json={**asked, "body": {"before": "yesterday"}}).status_code == 400
    assert client.post(f"{APPROVALS}/{'0' * 32}/approve", json={"signed": asked["signed"]}).status_code == 404
