"""What every endpoint of the protocol has in common: its parts, who asks, and how it answers and refuses.

Each answer carries a fresh nonce and the way to the directory (RFC 8555, 6.5 and 7.1). Each refusal is a problem
document and on record, but for those of whoever asks too often: these would fill the evidence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core.clock import Clock
from core.database import Database
from core.errors import TrustError, Unavailable
from core.ledger import evidence
from core.pace import Pace
from core.provision import provided
from pki.acme import events, problem
from pki.acme.answer import Object
from pki.acme.caller import Caller, Callers, Newcomer
from pki.acme.directory import Urls
from pki.acme.errors import BadMedia, BadRequest, NotHere, TooMany
from pki.acme.finalize import Finalizer
from pki.acme.nonce import Nonces
from pki.acme.settings import AcmeSettings

MEDIA = "application/jose+json"

#: What the name of a holder is that nobody knows.
_NOBODY = ("", "", "")


@dataclass(frozen=True, slots=True)
class AcmeServer:
    """The parts of the server; ``secret`` is that of the installation, see ``binding.py`` and ``nonce.py``."""

    settings: AcmeSettings
    database: Database
    clock: Clock
    random: Callable[[int], bytes]
    secret: bytes
    urls: Urls
    nonces: Nonces
    callers: Callers
    finalizer: Finalizer
    requests: Pace
    refusals: Pace

    def url(self, request: Request) -> str:
        """Return the address that was asked, as clients know it."""
        query = f"?{request.url.query}" if request.url.query else ""
        return f"{self.urls.origin}{request.url.path}{query}"

    def answer(
        self, content: Object, status: HTTPStatus = HTTPStatus.OK, *, location: str = "", up: str = "", after: int = 0
    ) -> JSONResponse:
        """Return an answer: ``location`` of the thing, ``up`` what it belongs to, ``after`` when to ask again (s)."""
        response = JSONResponse(content, int(status), headers=self.headers(up))
        if location:
            response.headers["Location"] = location
        if after:
            response.headers["Retry-After"] = str(after)
        return response

    def headers(self, up: str = "") -> dict[str, str]:
        """Return the headers of every answer."""
        link = f'<{self.urls.at("directory")}>;rel="index"'
        # In one header: there are clients that read the first alone.
        link += f', <{up}>;rel="up"' if up else ""
        return {"Replay-Nonce": self.nonces.make(), "Link": link, "Cache-Control": "no-store"}

    def refuse(self, content: Object, *, after: int = 0) -> JSONResponse:
        """Return a problem document as the answer."""
        response = self.answer(content, HTTPStatus(int(str(content["status"]))), after=after)
        response.headers["Content-Type"] = problem.MEDIA
        return response


Server = Annotated[AcmeServer, Depends(provided(AcmeServer))]


def admitted(request: Request, issuer: str, server: Server) -> None:
    """Raise ``TooMany`` for whoever asks too often, ``NotHere`` for an authority that has no server."""
    if not server.requests.admits(request.client.host if request.client else ""):
        raise TooMany("too many requests from this address", after=60)
    if issuer != server.urls.issuer:
        raise NotHere(f"the authority `{issuer[:40]}` has no ACME server")


async def signed(request: Request) -> bytes:
    """Return a request's body. Raises ``BadMedia``; asynchronous, for only so the framework leaves it unread."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA:
        raise BadMedia(f"a request is sent as {MEDIA}")
    return await request.body()


Signed = Annotated[bytes, Depends(signed)]


def _account(request: Request, content: Signed, server: Server) -> Caller:
    return _known(request, server.callers.by_account(content, server.url(request)))


def _key(request: Request, content: Signed, server: Server) -> Newcomer:
    return server.callers.by_key(content, server.url(request))


def _either(request: Request, content: Signed, server: Server) -> Caller | Newcomer:
    found = server.callers.by_either(content, server.url(request))
    return _known(request, found) if isinstance(found, Caller) else found


def _known(request: Request, caller: Caller) -> Caller:
    request.state.caller = caller
    return caller


#: Who asks: declared before the session of a request, for its nonce is used up before anything else is done.
ByAccount = Annotated[Caller, Depends(_account)]
ByKey = Annotated[Newcomer, Depends(_key)]
ByEither = Annotated[Caller | Newcomer, Depends(_either)]


def install_error_handlers(app: FastAPI) -> None:
    """Make ``app`` answer every error with a problem document of ACME's types."""

    @app.exception_handler(TrustError)
    def _refused(request: Request, error: TrustError) -> JSONResponse:
        server = cast("AcmeServer", request.app.state.provided[AcmeServer])
        told = _recorded(server, request, error)
        return server.refuse(problem.document(told), after=told.after if isinstance(told, TooMany) else 0)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, _error: RequestValidationError) -> JSONResponse:
        return _refused(request, BadRequest("the address of the request cannot be read"))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        server = cast("AcmeServer", request.app.state.provided[AcmeServer])
        detail = str(error.detail).lower()
        return server.refuse({"type": f"{problem.TYPE}malformed", "detail": detail, "status": error.status_code})

    @app.exception_handler(Exception)
    def _unknown(request: Request, _error: Exception) -> JSONResponse:
        server = cast("AcmeServer", request.app.state.provided[AcmeServer])
        return server.refuse(problem.unexpected())


def _recorded(server: AcmeServer, request: Request, error: TrustError) -> TrustError:
    """Put a refusal on record, and return what to answer: it, or why it could not be recorded."""
    caller = getattr(request.state, "caller", None)
    if isinstance(error, Unavailable):
        # That somebody asks too often, or that a part does not answer.
        return error
    if caller is None and not server.refusals.admits(""):
        return TooMany("too many requests that are refused", after=60)
    about = (caller.holder.identifier, caller.account, caller.holder.domain) if isinstance(caller, Caller) else _NOBODY
    holder, account, domain = about
    path = request.url.path.replace("\0", "")
    event = events.refused(path, problem.word(error), error.detail, holder=holder, account=account, domain=domain)
    try:
        with server.database.write() as session:
            evidence.append(session, event, at=server.clock.now())
        # A crash here leaves a recorded refusal that nobody was told: asking again is refused and recorded again.
    except TrustError as failed:
        return failed
    return error
