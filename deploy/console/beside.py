"""The console beside the interface: same listener, same certificates, other answers."""

from starlette.types import ASGIApp, Receive, Scope, Send

#: What belongs to the console; `/` shows the way there.
_ROOT = "/console"


class Beside:
    """ASGI: what is asked below ``/console`` goes to the console, everything else to the interface."""

    def __init__(self, console: ASGIApp, interface: ASGIApp) -> None:
        """Hold both."""
        self._console = console
        self._interface = interface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        path = scope.get("path", "")
        ours = scope["type"] == "http" and (path in ("/", _ROOT) or path.startswith(f"{_ROOT}/"))
        await (self._console if ours else self._interface)(scope, receive, send)
