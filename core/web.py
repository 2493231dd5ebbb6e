"""The edge to HTTP: kinds of errors become problem documents (RFC 9457) in one table; bodies have a largest size."""

from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import errors, refusal
from core.clock import Clock
from core.database import Database
from core.identity import Principal
from core.refusal import Attempt

PROBLEM = "application/problem+json"

#: Most octets of a request's body; anything larger is refused before it is read.
LARGEST_BODY = 8 * 1024 * 1024

_STATUS: dict[type[errors.TrustError], HTTPStatus] = {
    errors.Malformed: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Rejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: errors.TrustError) -> HTTPStatus:
    """Return the HTTP status of an error's kind."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(status: HTTPStatus, *, reason: str, detail: str, hint: str = "", rule: str = "") -> JSONResponse:
    """Return a problem document; ``reason`` is the stable word, ``hint`` what to do, ``rule`` what was broken."""
    content = {"type": f"urn:guosuo:problem:{reason}", "title": status.phrase, "status": int(status), "detail": detail}
    content |= {name: text for name, text in (("hint", hint), ("rule", rule)) if text}
    return JSONResponse({**content, "reason": reason}, status_code=int(status), media_type=PROBLEM)


def install_error_handlers(app: FastAPI) -> None:
    """Make ``app`` answer every error with a problem document; an unknown one without its text."""

    @app.exception_handler(errors.TrustError)
    def _known(request: Request, error: errors.TrustError) -> JSONResponse:
        if error.rule:
            error = recorded(request, error)
        return problem(status_of(error), reason=error.word, detail=error.detail, hint=error.hint, rule=error.rule)

    @app.exception_handler(RequestValidationError)
    def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        detail = f"`{place}`: {first['msg'].lower()}" if place else str(first["msg"]).lower()
        return problem(HTTPStatus.BAD_REQUEST, reason="malformed", detail=detail)

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        reason = status.phrase.lower().replace(" ", "-")
        return problem(status, reason=reason, detail=str(error.detail).lower())

    @app.exception_handler(Exception)
    def _unknown(_request: Request, _error: Exception) -> JSONResponse:
        # The text stays in the server's log: it may name paths, statements or secrets.
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, reason="internal", detail="something went wrong on our side")


def recorded(request: Request, error: errors.TrustError) -> errors.TrustError:
    """Put a refusal by a rule on record, and return what to answer: it, or why it could not be recorded."""
    provided = request.app.state.provided
    try:
        refusal.record(
            cast("Database", provided[Database]), cast("Clock", provided[Clock]), _attempt(request, error), error
        )
    except errors.TrustError as failed:
        return failed
    return error


def _attempt(request: Request, error: errors.TrustError) -> Attempt:
    principal = getattr(request.state, "principal", None)
    if isinstance(principal, Principal):
        identifier = str(request.state.request_id)
        return Attempt(principal.identifier, request.url.path, identifier, principal.serial)
    # Refused before anybody was let in: the error itself names whose certificate was shown.
    return Attempt(error.about.removeprefix("person:"), request.url.path)


class BodyLimit:
    """ASGI middleware that refuses a body larger than ``largest`` octets, whether its length is declared or not."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        """Wrap ``app``."""
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._largest:
            await self._refuse(scope, receive, send)
            return
        counter = _Counter(receive, send, self._largest)
        await self._app(scope, counter.receive, counter.send)
        if counter.exceeded:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"the request is larger than {self._largest} octets"
        response = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason="too-large", detail=detail)
        await response(scope, receive, send)


class _Counter:
    """Counts an undeclared body as it is read; beyond the limit the app sees its end, and its answer is withheld."""

    def __init__(self, receive: Receive, send: Send, largest: int) -> None:
        self.exceeded = False
        self._receive = receive
        self._send = send
        self._largest = largest
        self._seen = 0
        self._answering = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._largest and not self._answering:
            self.exceeded = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if not self.exceeded:
            self._answering = True
            await self._send(message)
