"""OCSP over HTTP (RFC 6960, A; RFC 5019, 6): GET and POST, before any framework, because it is asked most of all.

Open to everybody, like every status: no certificate is looked at. Everything that is not OCSP passes by untouched.
"""

import base64
import binascii
import re
from email.utils import format_datetime
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from pki.feed import Feed
from pki.issuer import ISSUING
from pki.ocsp_message import LARGEST
from pki.ocsp_store import Answer

#: Which authority is asked about stands in the question; the address is any issuing authority's of ours.
_ADDRESS = re.compile(rf"/ocsp/{ISSUING}(?:-[a-z0-9-]{{1,32}})?(?:/(?P<asked>.*))?", re.DOTALL)

#: Seconds that a cache between us and whoever asks may give an answer again.
_KEEP = 60

Headers = list[tuple[bytes, bytes]]


class OcspEndpoint:
    """ASGI middleware that answers OCSP requests itself."""

    def __init__(self, app: ASGIApp, feed: Feed) -> None:
        """Wrap ``app``; ``feed`` may be one that nobody runs: then each answer is held against the store."""
        self._app = app
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is asked of the responder, pass the rest on."""
        found = _ADDRESS.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        if scope["method"] == "POST":
            content = await _body(receive)
        elif scope["method"] == "GET":
            content = _decoded(found["asked"] or "")
        else:
            await _send(send, 405, [(b"allow", b"GET, POST")], b"")
            return
        answer = self._feed.ready(content)
        if answer is None:
            answer = await run_in_threadpool(self._feed.responder.answer, content)
        await self._tell(scope, send, answer)

    async def _tell(self, scope: Scope, send: Send, answer: Answer) -> None:
        headers = [(b"content-type", b"application/ocsp-response"), *self._caching(answer)]
        matching = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
        if scope["method"] == "GET" and answer.next_update is not None and answer.tag in matching:
            await _send(send, 304, headers, b"")
            return
        await _send(send, 200, headers, answer.content)

    def _caching(self, answer: Answer) -> Headers:
        if answer.this_update is None or answer.next_update is None:
            return [(b"cache-control", b"no-store")]
        left = int((answer.next_update - self._feed.clock.now()).total_seconds())
        keep = f"max-age={max(0, min(_KEEP, left))}, public, no-transform, must-revalidate"
        return [
            (b"last-modified", format_datetime(answer.this_update, usegmt=True).encode("ascii")),
            (b"expires", format_datetime(answer.next_update, usegmt=True).encode("ascii")),
            (b"etag", answer.tag.encode("ascii")),
            (b"cache-control", keep.encode("ascii")),
        ]


async def _body(receive: Receive) -> bytes:
    """Return the body, or its beginning when it is larger than any request."""
    parts = bytearray()
    while len(parts) <= LARGEST:
        message = await receive()
        chunk = message.get("body", b"")
        assert isinstance(chunk, bytes)
        parts += chunk
        if not message.get("more_body", False):
            break
    return bytes(parts)


def _decoded(path: str) -> bytes:
    """Return what a path says in base64; nothing when it says nothing: the responder answers that, too."""
    try:
        return base64.b64decode(unquote(path), validate=True)
    except (binascii.Error, ValueError):
        return b""


async def _send(send: Send, status: int, headers: Headers, content: bytes) -> None:
    length = [] if status == 304 else [(b"content-length", str(len(content)).encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": content})
