"""Evidence over HTTP, with the enforcement of the real router class, on both stores."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, event
from sqlmodel import select
from starlette.types import ASGIApp, Receive, Scope, Send

import guosuo_verify
from core.access import Authenticator, Decision, DecisionPoint, DecisionRequest
from core.clock import Clock
from core.database import Database
from core.errors import Unauthenticated
from core.identity import DomainId, OrganisationId, Principal, Serial, SubjectKind
from core.ledger import api, evidence, proof
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from core.ledger.place import LedgerPlace
from core.ledger.tiles import parse_bundle
from core.web import install_error_handlers
from tests.clock import ManualClock
from tests.core.ledger.logs import Log
from tests.core.ledger.test_bundle import sequencing
from tests.verify.bundles import NOW, place_of

AUDITOR = {"x-test-certificate": "auditor"}
OTHER = {"x-test-certificate": "other"}


class TwoCertificates:
    """Knows an auditor and somebody else."""

    def authenticate(self, certificate: bytes) -> Principal:
        if certificate not in (b"auditor", b"other"):
            raise Unauthenticated("this certificate is not known", reason="unknown-certificate")
        return Principal(
            SubjectKind.PERSON,
            certificate.decode(),
            "魏明鉴",
            OrganisationId("bc-xxb"),
            DomainId("management"),
            "issuing",
            Serial("01" * 20),
        )


class AuditorReads:
    """Permits the two permissions of evidence to the auditor and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def decide(self, request: DecisionRequest) -> Decision:
        self.asked.append(request.action)
        right = request.action in ("evidence:record:read", "evidence:bundle:export")
        allowed = right and request.principal.identifier == "auditor"
        reason = "permitted" if allowed else "no-permit"
        return Decision(allowed, reason, "no policy permits it", (), "the auditor", request.request_id)


class Tls:
    """Puts a certificate into the scope, as the server's protocol does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shown = dict(scope.get("headers") or []).get(b"x-test-certificate")
        if shown:
            scope.setdefault("extensions", {})["tls"] = {"client_certificate": shown}
        await self.app(scope, receive, send)


@pytest.fixture
def decisions() -> AuditorReads:
    return AuditorReads()


@pytest.fixture
def client(log: Log, decisions: AuditorReads) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.provided = {
        Database: log.database,
        Clock: log.clock,
        Authenticator: TwoCertificates(),
        DecisionPoint: decisions,
        LedgerPlace: place_of(log),
    }
    app.include_router(api.router)
    install_error_handlers(app)
    with TestClient(Tls(app), raise_server_exceptions=False) as made:
        yield made


def tell(log: Log, *events: Event) -> None:
    with log.database.write() as session:
        for event in events:
            evidence.append(session, event, at=log.clock.now())


def found(client: TestClient, **query: str | int) -> list[dict[str, object]]:
    response = client.get("/api/v1/evidence", params=query, headers=AUDITOR)
    assert response.status_code == 200, response.text
    items: list[dict[str, object]] = response.json()["items"]
    return items


def test_a_record_as_it_is_shown(client: TestClient, log: Log) -> None:
    tell(log, Event("pki.certificate.revoked", "zhao-ra", "certificate:01", "outer-finance", details={"level": 3}))
    (one,) = found(client)
    assert len(str(one.pop("id"))) == 32
    assert one == {
        "sequence": None,
        "at": "2026-11-20T08:00:00.000Z",
        "type": "pki.certificate.revoked",
        "actor": "zhao-ra",
        "object": "certificate:01",
        "domain": "outer-finance",
        "result": "done",
        "details": {"level": 3},
    }
    log.sequencer().run_once()
    assert found(client)[0]["sequence"] == 0


def test_newest_first_and_page_by_page(client: TestClient, log: Log) -> None:
    log.append(25)
    log.sequencer().run_once()
    log.append(3)
    everything = found(client)
    assert [one["sequence"] for one in everything] == [None] * 3 + list(range(24, -1, -1))
    assert [one["object"] for one in everything[:3]] == ["thing:2", "thing:1", "thing:0"]
    assert found(client, limit=2) == everything[:2]
    assert found(client, limit=10) == everything[:10]
    assert found(client, before=18, limit=5) == [one for one in everything if one["sequence"] in range(13, 18)]
    assert found(client, before=0) == []


def test_found_by_object_actor_and_type_exactly(client: TestClient, log: Log) -> None:
    tell(log, Event("a.b", "li", "x:1"), Event("a.b", "li", "x:11"), Event("a.c", "wang", "x:1"))
    log.sequencer().run_once()
    assert [one["sequence"] for one in found(client, object="x:1")] == [2, 0]
    assert [one["sequence"] for one in found(client, actor="li")] == [1, 0]
    assert [one["sequence"] for one in found(client, type="a.c")] == [2]
    assert [one["sequence"] for one in found(client, type="a.b", object="x:1", actor="li")] == [0]
    assert found(client, type="a.%") == found(client, actor="' or 1=1 --") == []


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"before": -1},
        {"before": 2**80},
        {"object": "x" * 201},
        {"actor": "x" * 121},
        {"type": "x" * 81},
    ],
)
def test_a_bad_question_is_refused(client: TestClient, query: dict[str, str | int]) -> None:
    response = client.get("/api/v1/evidence", params=query, headers=AUDITOR)
    assert (response.status_code, response.json()["reason"]) == (400, "malformed")


def test_a_question_with_a_nul_is_never_an_error_of_ours(client: TestClient) -> None:
    response = client.get("/api/v1/evidence", params={"actor": "a\0b"}, headers=AUDITOR)
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/evidence"), ("POST", "/api/v1/evidence/bundle"), ("GET", "/ledger/tile/entries/000")],
)
def test_records_are_for_those_who_may(client: TestClient, log: Log, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 401
    refused = client.request(method, path, headers=OTHER)
    assert (refused.status_code, refused.json()["hint"]) == (403, "the auditor")
    with log.database.read() as session:
        assert session.exec(select(EvidenceRow)).all() == []


def test_the_bundle_verifies_with_the_fingerprint_in_the_header(
    client: TestClient, log: Log, decisions: AuditorReads, tmp_path: Path
) -> None:
    log.append(260)
    with sequencing(log):
        response = client.post("/api/v1/evidence/bundle", headers=AUDITOR, json={})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["x-guosuo-size"] == "261"
    assert int(response.headers["content-length"]) == len(response.content)
    assert decisions.asked == ["evidence:bundle:export"]
    path = tmp_path / "evidence.zip"
    path.write_bytes(response.content)
    report = guosuo_verify.verify(str(path), response.headers["x-guosuo-fingerprint"], now=NOW)
    assert [check.faults for check in report.checks if check.faults] == []
    assert report.size == 261


def test_a_bundle_that_cannot_be_published_is_an_error_that_says_so(client: TestClient, log: Log) -> None:
    app = client.app.app  # type: ignore[attr-defined]  # inside Tls
    app.state.provided[LedgerPlace] = replace(place_of(log), patience=0.05)
    response = client.post("/api/v1/evidence/bundle", headers=AUDITOR)
    assert (response.status_code, response.json()["reason"]) == (503, "evidence-not-published")
    assert "guosuo doctor" in response.json()["hint"]


def test_the_log_is_served_in_the_form_of_tlog_tiles(client: TestClient, log: Log) -> None:
    nothing = client.get("/ledger/checkpoint")
    assert (nothing.status_code, nothing.json()["reason"]) == (404, "unknown-tile")
    log.append(300)
    log.sequencer().run_once()
    note = client.get("/ledger/checkpoint")
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    assert note.headers["cache-control"] == "no-cache"
    origin, size, root = note.text.split("\n")[:3]
    assert (origin, size) == (place_of(log).origin, "300")
    tiles = [client.get(f"/ledger/tile/{name}") for name in ("0/000", "0/001.p/44", "1/000.p/1")]
    assert [(tile.status_code, len(tile.content)) for tile in tiles] == [(200, 8192), (200, 44 * 32), (200, 32)]
    assert all(tile.headers["content-type"] == "application/octet-stream" for tile in tiles)
    assert all("immutable" in tile.headers["cache-control"] for tile in tiles)
    entries = [
        entry
        for name in ("entries/000", "entries/001.p/44")
        for entry in parse_bundle(client.get(f"/ledger/tile/{name}", headers=AUDITOR).content)
    ]
    leaves = tiles[0].content + tiles[1].content
    assert b"".join(sha256(b"\0" + entry).digest() for entry in entries) == leaves
    assert (
        base64.b64decode(root) == guosuo_verify.roots_at([sha256(b"\0" + one).digest() for one in entries], [300])[300]
    )
    assert [json.loads(entry)["details"]["n"] for entry in entries] == list(range(300))


@pytest.mark.parametrize(
    "path",
    [
        "/ledger/tile/0/001",
        "/ledger/tile/0/../0/000",
        "/ledger/tile/0/%2e%2e/0/000",
        "/ledger/tile/..%2f..%2fstore.sqlite3",
        "/ledger/tile/0/000%00",
        "/ledger/tile//etc/passwd",
        "/ledger/tile/0/000.p/300",
        "/ledger/tile/./entries/000",
        "/ledger/tile/0/%ff",
        "/ledger/tile/" + "x" * 5000,
    ],
)
def test_no_other_path_leads_anywhere(client: TestClient, log: Log, path: str) -> None:
    log.append(3)
    log.sequencer().run_once()
    response = client.get(path)
    assert response.status_code in (401, 404)
    assert len(response.text) < 1000


def test_entries_are_not_reached_by_another_spelling(client: TestClient, log: Log) -> None:
    log.append(300)
    log.sequencer().run_once()
    for path in ("entries/000", "%65ntries/000", "entries%2F000"):
        assert client.get(f"/ledger/tile/{path}").status_code in (401, 404), path


def test_two_exports_at_once_are_two_bundles(client: TestClient, log: Log, clock: ManualClock) -> None:
    log.append(10)
    with ExitStack() as stack:
        stack.enter_context(sequencing(log))
        pool = stack.enter_context(ThreadPoolExecutor(2))
        made = list(pool.map(lambda _: client.post("/api/v1/evidence/bundle", headers=AUDITOR), range(2)))
    assert sorted(int(one.headers["x-guosuo-size"]) for one in made) == [11, 12]


def test_a_record_and_the_growth_are_proved_to_the_auditor(client: TestClient, log: Log) -> None:
    identifiers = log.append(30)
    log.sequencer().run_once()
    for wanted in ("17", identifiers[17]):
        answer = client.get(f"/api/v1/evidence/{wanted}/proof", headers=AUDITOR)
        assert answer.status_code == 200
        made = proof.parse_record_proof(answer.content)
        made.verify(place_of(log).key)
        assert made.index == 17
    grown = client.get("/api/v1/evidence/consistency", params={"since": 12}, headers=AUDITOR)
    assert proof.parse_submission(grown.content).old == 12
    for path, status in (
        ("30/proof", 422),
        (f"{'0' * 32}/proof", 404),
        ("consistency?since=31", 422),
        ("consistency?since=-1", 400),
    ):
        assert client.get(f"/api/v1/evidence/{path}", headers=AUDITOR).status_code == status
    assert client.get("/api/v1/evidence/17/proof", headers=OTHER).status_code == 403
    assert client.get("/ledger/checkpoint.cosigned").status_code == 404


def test_a_record_that_is_numbered_meanwhile_is_shown_once(client: TestClient, log: Log) -> None:
    """PostgreSQL shows each statement what is committed by then; the list is made by two."""
    log.append(2)
    asked: list[str] = []

    def number(_connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("SELECT") and "sequence IS NOT NULL" in statement and not asked:
            asked.append(statement)
            log.sequencer().run_once()

    event.listen(log.database.engine, "before_cursor_execute", number)
    shown = [one["id"] for one in found(client, type="test.thing.made")]
    event.remove(log.database.engine, "before_cursor_execute", number)
    assert asked
    assert len(shown) == len(set(shown)) == 2
