"""The edge to HTTP: every kind of error is a problem document, an unknown one without its text, bodies are bounded."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated

import anyio
import pytest
from fastapi import Body, FastAPI, HTTPException
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from core import errors
from core.ledger.errors import NotPublished, UnknownTile
from core.registry.errors import RegisterRejected, SeparationOfDuties
from core.web import BodyLimit, install_error_handlers, status_of

KINDS: dict[type[errors.TrustError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Rejected: 422,
    errors.Unavailable: 503,
    errors.TrustError: 500,
    UnknownTile: 404,
    NotPublished: 503,
    SeparationOfDuties: 422,
    RegisterRejected: 422,
}


class Asked(BaseModel):
    number: int


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()

    @app.get("/raise/{name}")
    def raise_(name: str) -> None:
        kind = next(one for one in KINDS if one.__name__ == name)
        raise kind("`x` is wrong", hint="do it rightly", reason="very-special")

    @app.get("/unknown")
    def unknown() -> None:
        raise RuntimeError("password=hunter2 at /srv/secret")

    @app.get("/http/{status}")
    def http(status: int) -> None:
        raise HTTPException(status, "I Am A Teapot")

    @app.post("/asked")
    def asked(body: Asked) -> int:
        return body.number

    @app.post("/sized")
    def sized(content: Annotated[bytes, Body(media_type="application/octet-stream")]) -> int:
        return len(content)

    @app.post("/deaf")
    def deaf() -> str:
        return "I did not read it"

    install_error_handlers(app)
    app.add_middleware(BodyLimit, largest=1000)
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


@pytest.mark.parametrize("kind", [one for one in KINDS if one is not RegisterRejected])
def test_every_kind_has_its_status_and_document(client: TestClient, kind: type[errors.TrustError]) -> None:
    response = client.get(f"/raise/{kind.__name__}")
    assert response.status_code == KINDS[kind]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "urn:guosuo:problem:very-special",
        "title": HTTPStatus(KINDS[kind]).phrase,
        "status": KINDS[kind],
        "detail": "`x` is wrong",
        "hint": "do it rightly",
        "reason": "very-special",
    }


def test_the_status_of_an_error_is_that_of_its_nearest_kind() -> None:
    assert status_of(RegisterRejected(())) == 422
    assert {kind: int(status_of(kind("x"))) for kind in KINDS if kind is not RegisterRejected} == {
        kind: status for kind, status in KINDS.items() if kind is not RegisterRejected
    }


def test_an_unknown_error_says_nothing_of_itself(client: TestClient) -> None:
    response = client.get("/unknown")
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert response.json()["detail"] == "something went wrong on our side"
    assert "hunter2" not in response.text


def test_other_errors_of_http_are_problems_too(client: TestClient) -> None:
    assert client.get("/nowhere").json()["reason"] == "not-found"
    assert client.put("/asked").json()["reason"] == "method-not-allowed"
    teapot = client.get("/http/418")
    assert (teapot.status_code, teapot.json()["detail"]) == (418, "i am a teapot")


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'{"number": "many"}', "`number`: input should be a valid integer"),
        (b"{}", "`number`: field required"),
        (b"{", "json decode error"),
        (b"", "field required"),
        (b"\xff", "there was an error parsing the body"),
    ],
)
def test_what_cannot_be_read_is_named(client: TestClient, content: bytes, detail: str) -> None:
    response = client.post("/asked", content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")
    assert detail in response.json()["detail"]


BINARY = {"content-type": "application/octet-stream"}


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_up_to_the_limit_is_read(client: TestClient, size: int, chunked: bool) -> None:
    body = b"x" * size
    content = iter([body[:500], body[500:]]) if chunked else body
    response = client.post("/sized", content=content, headers=BINARY)
    assert response.status_code == 200 or size == 0
    assert size == 0 or response.json() == size


@pytest.mark.parametrize("size", [1001, 100_000])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/sized", "/asked"])
def test_a_larger_body_is_refused_however_it_comes(client: TestClient, size: int, chunked: bool, path: str) -> None:
    body = b"x" * size
    content = iter([body[:500], body[500:]]) if chunked else body
    response = client.post(path, content=content, headers=BINARY)
    assert (response.status_code, response.json()["reason"]) == (413, "too-large")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "x", "", "0x10"])
def test_a_nonsensical_length_is_refused(client: TestClient, length: str) -> None:
    response = client.post("/sized", content=b"x", headers={**BINARY, "content-length": length.encode()})  # type: ignore[dict-item]
    assert response.status_code == 413


def test_what_is_not_http_passes() -> None:
    passed: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        passed.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(_message: Message) -> None:
        return

    anyio.run(BodyLimit(app), {"type": "lifespan"}, receive, send)
    assert passed == ["lifespan"]
