"""Every route is authenticated and decided; nothing commits after a failed commit is answered; errors are problems."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, Body, FastAPI
from fastapi.testclient import TestClient
from sqlmodel import select
from starlette.types import ASGIApp, Receive, Scope, Send

from core.access import Authenticator, Decision, DecisionPoint, DecisionRequest
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission, public
from core.errors import Conflict, Unauthenticated
from core.identity import DomainId, OrganisationId, Principal, Serial, SubjectKind
from core.ledger import evidence
from core.ledger.entry import Event
from core.ledger.models import EvidenceRow
from core.provision import WriteSession
from core.web import BodyLimit, install_error_handlers
from tests.clock import ManualClock

LI_WEN = Principal(
    SubjectKind.PERSON, "li-wen", "李文", OrganisationId("fin"), DomainId("outer-finance"), "issuing", Serial("01" * 20)
)


class OneCertificate:
    """Knows a single certificate: the octets ``good``."""

    def authenticate(self, certificate: bytes) -> Principal:
        if certificate != b"good":
            raise Unauthenticated("this certificate is not known", reason="unknown-certificate")
        return LI_WEN


class OnePermission:
    """Permits ``thing:make`` and nothing else."""

    def decide(self, request: DecisionRequest) -> Decision:
        allowed = request.action == "thing:make"
        return Decision(
            allowed,
            "permitted" if allowed else "no-permit",
            "no policy permits it",
            (),
            "the officer",
            request.request_id,
        )


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
def client(database: Database, clock: ManualClock) -> Iterator[TestClient]:
    router = APIRouter(route_class=EnforcedRoute)

    @router.get("/open")
    @public
    def open_() -> dict[str, str]:
        return {"is": "open"}

    @router.post("/make")
    @permission("thing:make")
    def make(session: WriteSession, principal: Acting) -> dict[str, str]:
        evidence.append(session, Event("thing.made", principal.identifier, "thing:1"), at=clock.now())
        return {"by": principal.identifier}

    @router.post("/make-and-fail")
    @permission("thing:make")
    def make_and_fail(session: WriteSession) -> dict[str, str]:
        evidence.append(session, Event("thing.made", "x", "thing:2"), at=clock.now())
        raise Conflict("`thing` is there already", hint="use another name")

    @router.post("/commit-fails")
    @permission("thing:make")
    def commit_fails(session: WriteSession) -> dict[str, str]:
        # The same identifier twice: the store refuses when the transaction is flushed at commit.
        for _ in range(2):
            session.add(
                EvidenceRow(
                    identifier="same",
                    at=clock.now(),
                    type="t",
                    actor="a",
                    object="o",
                    domain="",
                    result="",
                    content=b"",
                )
            )
        return {"is": "done"}

    @router.post("/break")
    @permission("thing:break")
    def break_() -> dict[str, str]:
        raise AssertionError("an endpoint without permission was reached")

    @router.post("/sized")
    @public
    def sized(content: Annotated[str, Body()]) -> int:
        return len(content)

    app = FastAPI()
    app.state.provided = {Database: database, Authenticator: OneCertificate(), DecisionPoint: OnePermission()}
    app.include_router(router)
    install_error_handlers(app)
    app.add_middleware(BodyLimit, largest=1000)
    with TestClient(Tls(app), raise_server_exceptions=False) as made:
        yield made


GOOD = {"x-test-certificate": "good"}


def count(database: Database) -> int:
    with database.read() as session:
        return len(session.exec(select(EvidenceRow)).all())


def test_public_route_needs_nothing(client: TestClient) -> None:
    assert client.get("/open").json() == {"is": "open"}


def test_no_certificate_is_refused(client: TestClient, database: Database) -> None:
    response = client.post("/make")
    assert (response.status_code, response.json()["reason"]) == (401, "no-certificate")
    assert response.headers["content-type"] == "application/problem+json"
    assert count(database) == 0


def test_unknown_certificate_is_refused(client: TestClient) -> None:
    response = client.post("/make", headers={"x-test-certificate": "bad"})
    assert (response.status_code, response.json()["reason"]) == (401, "unknown-certificate")


def test_permitted_act_is_done_by_the_person(client: TestClient, database: Database) -> None:
    assert client.post("/make", headers=GOOD).json() == {"by": "li-wen"}
    assert count(database) == 1


def test_forbidden_act_says_who_could_allow_it(client: TestClient) -> None:
    response = client.post("/break", headers=GOOD)
    assert response.status_code == 403
    assert response.json()["hint"] == "the officer"


def test_error_leaves_nothing(client: TestClient, database: Database) -> None:
    response = client.post("/make-and-fail", headers=GOOD)
    assert (response.status_code, response.json()["hint"]) == (409, "use another name")
    assert count(database) == 0


def test_failing_commit_is_never_answered_as_success(client: TestClient, database: Database) -> None:
    response = client.post("/commit-fails", headers=GOOD)
    assert response.status_code == 500
    assert "same" not in response.text
    assert count(database) == 0


@pytest.mark.parametrize("declared", [True, False])
def test_large_body_is_refused(client: TestClient, declared: bool) -> None:
    body = b'"' + b"x" * 2000 + b'"'
    content = body if declared else iter([body[:900], body[900:]])
    response = client.post("/sized", content=content, headers={"content-type": "application/json"})
    assert response.status_code in (400, 413)
    assert response.json()["reason"] == "too-large"


def test_unmarked_endpoint_cannot_be_registered() -> None:
    router = APIRouter(route_class=EnforcedRoute)
    with pytest.raises(TypeError, match="neither a permission"):
        router.get("/forgotten")(lambda: None)
