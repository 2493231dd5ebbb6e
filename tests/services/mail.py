"""A real mail relay on this machine: aiosmtpd, in the clear, with STARTTLS or over TLS, with a log-in where asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.services.certificate import Identity
from tests.services.site import free_port


@dataclass
class Relay:
    """Keeps what it takes; ``refuse`` answers a recipient with a code, ``busy`` so many times with 451."""

    port: int
    refuse: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        found = [message_from_bytes(content, policy=policy.default) for _, content in self.taken]
        return [one for one in found if isinstance(one, EmailMessage)]

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.busy:
            self.busy -= 1
            return "451 try again later"
        self.taken.append((envelope.rcpt_tos[0], envelope.content))
        return f"250 queued as {len(self.taken)}"


class _Controller(Controller):
    def __init__(self, *arguments: Any, password: bytes, starttls: Any, **options: Any) -> None:
        self._password, self._starttls = password, starttls
        super().__init__(*arguments, **options)

    def factory(self) -> SMTP:
        def authenticate(_s: Any, _session: Any, _e: Any, _mechanism: str, data: Any) -> AuthResult:
            known = isinstance(data, LoginPassword) and data == LoginPassword(b"guosuo", self._password)
            return AuthResult(success=known, handled=False)

        options: dict[str, Any] = {"tls_context": self._starttls, "require_starttls": self._starttls is not None}
        if self._password:
            options |= {"authenticator": authenticate, "auth_required": True}
        return SMTP(self.handler, hostname="relay.test", **options)


@contextmanager
def running(
    identity: Identity | None = None, *, tls: bool = False, starttls: bool = False, password: bytes = b""
) -> Iterator[Relay]:
    """Run a relay for the time of the block."""
    relay = Relay(free_port())
    context = identity.server() if identity else None
    controller = _Controller(
        relay,
        hostname="127.0.0.1",
        port=relay.port,
        ssl_context=context if tls else None,
        starttls=context if starttls else None,
        password=password,
    )
    controller.start()
    try:
        yield relay
    finally:
        controller.stop()
