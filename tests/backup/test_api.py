"""Points over HTTP, and the command line over a repository: shapes, permissions, exit statuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from backup import api
from backup.mirror import Mirror
from backup.restore import sealed_points
from backup.run import Backup
from core.access import Authenticator, Decision, DecisionPoint, DecisionRequest
from core.database import Database
from core.errors import TrustError
from core.web import install_error_handlers
from deploy.cli import backup as commands
from tests.backup.realm import Realm
from tests.core.test_enforcement import LI_WEN, OneCertificate, Tls

HEADERS = {"x-test-certificate": "good"}


class Permits:
    """Permits what it was told, and nothing else."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.permitted = {"backup:point:create", "backup:point:read"}

    def decide(self, request: DecisionRequest) -> Decision:
        self.asked.append(request.action)
        allowed = request.action in self.permitted
        return Decision(allowed, "permitted" if allowed else "no-permit", "no", (), "ask", request.request_id)


@pytest.fixture
def permits() -> Permits:
    return Permits()


@pytest.fixture
def client(realm: Realm, permits: Permits) -> Iterator[TestClient]:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(api.router)
    app.state.provided = {
        Authenticator: OneCertificate(),
        DecisionPoint: permits,
        Database: realm.database,
        Backup: realm.backup(),
    }
    with TestClient(Tls(app), raise_server_exceptions=False) as made:
        yield made


def test_a_point_is_made_and_listed(client: TestClient, realm: Realm, permits: Permits) -> None:
    answer = client.post("/api/v1/backup/point", json={}, headers=HEADERS)
    assert answer.status_code == 200
    made = answer.json()
    assert (made["state"], made["proven"], made["published"], made["actor"]) == (
        "sealed",
        False,
        False,
        LI_WEN.identifier,
    )
    assert made["size"] == realm.repository.point(made["id"]).stat().st_size
    listed = client.get("/api/v1/backup/point", headers=HEADERS).json()["items"]
    assert [item["id"] for item in listed] == [made["id"]]
    assert {"id", "at", "state", "proven", "ledger_size", "size"} <= set(listed[0])
    assert permits.asked == ["backup:point:create", "backup:point:read"]
    realm.sequence()
    [known] = sealed_points(Mirror(realm.repository.evidence))
    realm.repository.record_proof(known.id, {"ok": True, "sha256": known.sha256})
    assert client.get("/api/v1/backup/point", headers=HEADERS).json()["items"][0]["proven"] is True


def test_nobody_without_the_permission(client: TestClient, realm: Realm, permits: Permits) -> None:
    permits.permitted.clear()
    assert client.post("/api/v1/backup/point", json={}).status_code == 401
    assert client.post("/api/v1/backup/point", json={}, headers=HEADERS).status_code == 403
    assert client.get("/api/v1/backup/point", headers=HEADERS).status_code == 403
    assert not realm.repository.points.exists()


def test_bad_input_and_a_point_under_way(client: TestClient, realm: Realm) -> None:
    for body in ({"into": "/etc"}, [], "x", None):
        answer = client.post("/api/v1/backup/point", json=body, headers=HEADERS)
        assert (answer.status_code, answer.json()["reason"]) == (400, "malformed")
    with realm.repository.locked():
        answer = client.post("/api/v1/backup/point", json={}, headers=HEADERS)
    assert (answer.status_code, answer.json()["reason"]) == (409, "point-under-way")
    assert client.get("/api/v1/backup/point", headers=HEADERS).json() == {"items": []}


def test_the_commands(lasting: Realm, tmp_path: Path) -> None:
    files = ["--repository", str(lasting.repository.path), "--identity", str(lasting.identity)]
    runner = CliRunner()
    done = runner.invoke(commands.app, ["restore", "--into", str(tmp_path / "new"), *files, "--json"])
    assert (done.exit_code, json.loads(done.stdout)["state"]) == (0, str(tmp_path / "new"))
    again = runner.invoke(commands.app, ["restore", "--into", str(tmp_path / "new"), *files])
    assert isinstance(again.exception, TrustError)
    report = ["--report", str(tmp_path / "drill.html")]
    done = runner.invoke(commands.drill, [*files, *report, "--json"])
    outcome = json.loads(done.stdout)
    assert (done.exit_code, outcome["ok"]) == (0, True)
    assert {"ok", "rto_seconds", "rpo_seconds", "checks", "report"} <= set(outcome)
    assert all(set(check) == {"name", "ok", "detail"} for check in outcome["checks"])
    done = runner.invoke(commands.drill, [*files, *report, "--point", "20200101T000000Z-00000000"])
    assert done.exit_code == 4
    assert "no recovery point" in done.stdout
