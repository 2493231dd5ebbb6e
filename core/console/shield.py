"""What every answer of the console tells the browser: nothing from elsewhere, nothing inline, in nobody's frame."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Content Security Policy Level 3. Scripts can put no text of anybody into the page as markup (Trusted Types).
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)

#: No Strict-Transport-Security: it holds for every port of a host, and certificate status is served in the clear there.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: a browser would then say that a form of ours comes from nowhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_KEEP = (b"cache-control", b"no-store")


class Shield:
    """ASGI middleware that puts the headers on every answer; one that says nothing of keeping is not kept."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                keep = [] if any(name.lower() == _KEEP[0] for name, _value in given) else [_KEEP]
                message = {**message, "headers": [*given, *self._headers, *keep]}
            await send(message)

        await self._app(scope, receive, shielded)
