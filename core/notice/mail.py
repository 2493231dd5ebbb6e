"""By mail: through a relay, over STARTTLS (RFC 3207) or TLS; one recipient a message."""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage

from core.deadline import Deadline
from core.notice import channel
from core.notice.errors import DeliveryFailed
from core.notice.message import Message
from core.notice.settings import MailSettings
from core.text import clean

#: Everything on the wire is ASCII: what is not is encoded (RFC 2047, base64), lines end in CR LF.
_WIRE = policy.SMTP.clone(cte_type="7bit")


#: What may be an address of a mailbox in somebody else's words.
_MAILBOX = re.compile(r"[^\s<>()\"',;:]+@[^\s<>()\"',;:]+")


class _Relay(smtplib.SMTP):
    """A relay whose socket is guarded from its first octet; with ``context`` it speaks TLS at once."""

    def __init__(self, host: str, port: int, *, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self._deadline = deadline
        self._context = context
        super().__init__(host, port)

    def connect(
        self,
        host: str = "",
        port: int = 0,
        source_address: object = None,  # noqa: ARG002  # the library calls it so
    ) -> tuple[int, bytes]:
        made = self._deadline.connect(host, port)
        made.settimeout(channel.PATIENCE)
        self.sock = made if self._context is None else self._context.wrap_socket(made, server_hostname=host)
        return self.getreply()


class Mail:
    """Implements ``core.notice.channel.Channel``."""

    name = "mail"
    personal = True

    def __init__(self, settings: MailSettings, *, whole: float = channel.WHOLE) -> None:
        """Send through the relay of ``settings``; a message takes ``whole`` seconds at most."""
        self._settings = settings
        self._whole = whole

    def send(self, message: Message) -> str:
        """Hand the message to the relay and return its answer. A refusal with 5xx is for good (RFC 5321, 4.2.1)."""
        content, recipient = render(message, self._settings.sender), address(message.address)
        with channel.deadline(self._whole) as deadline:
            try:
                with self._relay(deadline) as relay:
                    _expect(relay.mail(self._settings.sender))
                    _expect(relay.rcpt(recipient))
                    return _expect(relay.data(content))
            except smtplib.SMTPResponseException as error:
                said = _said(error.smtp_code, error.smtp_error)
                raise DeliveryFailed(said, for_good=error.smtp_code >= 500) from error
            except (OSError, smtplib.SMTPException, UnicodeError) as error:
                # Also for a name or a password that is not ASCII.
                raise DeliveryFailed(f"the relay did not take it: {clean(deadline.why(error), 200)}") from error

    @contextmanager
    def _relay(self, deadline: Deadline) -> Iterator[smtplib.SMTP]:
        one = self._settings
        context = channel.context(one.trusted_file) if one.security == "tls" else None
        with _Relay(one.host, one.port, deadline=deadline, context=context) as relay:
            relay.ehlo()
            if one.security == "starttls":
                # Raises when the relay does not offer it: nothing goes on in the clear.
                relay.starttls(context=channel.context(one.trusted_file))
                relay.ehlo()
            if one.password_file is not None:
                relay.login(one.user, channel.secret(one.password_file).decode("ascii"))
            yield relay


def render(message: Message, sender: str) -> bytes:
    """Return the message as mail (RFC 5322); told to be automatic, so that no machine answers it (RFC 3834)."""
    mail = EmailMessage(policy=_WIRE)
    mail["From"] = sender
    mail["To"] = address(message.address)
    mail["Subject"] = message.subject
    mail["Date"] = message.at
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = "zh, en"
    if message.urgent:
        mail["Importance"] = "high"
    mail.set_content(message.text, charset="utf-8", cte="base64")
    return mail.as_bytes(policy=_WIRE)


def address(text: str) -> str:
    """Return one address of a mailbox; raises ``DeliveryFailed`` (for good) for what is none."""
    try:
        if not text.isascii() or not text.isprintable() or len(text) > 254:
            raise ValueError(text)
        found = Address(addr_spec=text)
        if not found.username or "." not in f".{found.domain}" or not found.domain:
            raise ValueError(text)
    except (ValueError, MessageError, IndexError) as error:
        # What stands there instead is personal, too.
        raise DeliveryFailed("the holder has no address of a mailbox", for_good=True) from error
    return found.addr_spec


def _expect(answer: tuple[int, bytes]) -> str:
    code, said = answer
    if not 200 <= code < 300:
        raise DeliveryFailed(_said(code, said), for_good=code >= 500)
    return _said(code, said)


def _said(code: int, said: bytes | str) -> str:
    """Return a relay's answer without addresses: whoever sees what left need not see where somebody is reached."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return clean(f"{code} {_MAILBOX.sub('(address)', text[:1000])}", 200)
