"""CMP over HTTP (RFC 9811): POST and nothing else, in the clear as well, for messages protect themselves."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from core.enforcement import EnforcedRoute, public
from core.errors import TrustError, Unavailable
from core.provision import provided
from pki.cmp.errors import NoMessage
from pki.cmp.server import Cmp
from pki.issuer import ISSUING

router = APIRouter(route_class=EnforcedRoute, prefix="/.well-known/cmp", tags=["cmp"])

MEDIA = "application/pkixcmp"

#: Operations that an address may name (RFC 9483, 6.1); what is done is what the message says.
OPERATIONS = frozenset(
    {
        "initialization",
        "certification",
        "keyupdate",
        "pkcs10",
        "revocation",
        "getcacerts",
        "getrootupdate",
        "getcertreqtemplate",
        "getcrls",
    }
)


async def _sent(request: Request) -> bytes:
    """Return a request's body; asynchronous, for only so the framework leaves it unread."""
    return await request.body()


@router.post("")
@router.post("/")
@router.post("/{operation}")
@router.post("/p/{authority}")
@router.post("/p/{authority}/{operation}")
@public
def exchange(
    request: Request,
    server: Annotated[Cmp, Depends(provided(Cmp))],
    content: Annotated[bytes, Depends(_sent)],
    authority: str = ISSUING,
    operation: str = "",
) -> Response:
    """Answer a message; that something is refused is told by the message that is the answer."""
    if authority != ISSUING or (operation and operation not in OPERATIONS):
        return _plain(HTTPStatus.NOT_FOUND, "there is no such authority, or no such operation")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA:
        return _plain(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a message has the media type {MEDIA}")
    try:
        server.door.admit(request.client.host if request.client else "")
        return Response(server.respond(content), 200, {"Cache-Control": "no-store"}, MEDIA)
    except NoMessage as error:
        return _plain(HTTPStatus.BAD_REQUEST, error.detail)
    except Unavailable as error:
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE, error.detail)
    except TrustError as error:
        return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, error.detail)


def _plain(status: HTTPStatus, text: str) -> Response:
    return Response(f"{text}\n", int(status), {"Cache-Control": "no-store"}, "text/plain; charset=utf-8")
