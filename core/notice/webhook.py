"""By webhook: a signed JSON body, posted over https; no redirect is followed.

Id, time and body are signed together (HMAC-SHA256) in the headers of the Standard Webhooks specification, so that a
receiver can refuse what is forged, old or known.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

import httpx2
import rfc8785

from core.clock import to_rfc3339
from core.deadline import client
from core.notice import channel
from core.notice.errors import DeliveryFailed
from core.notice.message import Message
from core.notice.settings import WebhookSettings
from core.text import clean

_SHORTEST_SECRET = 32


class Webhook:
    """Implements ``core.notice.channel.Channel``; ``now`` is the time of sending in seconds since 1970."""

    name = "webhook"
    personal = False

    def __init__(self, settings: WebhookSettings, *, now: Callable[[], int], whole: float = channel.WHOLE) -> None:
        """Post to the address of ``settings``; a message takes ``whole`` seconds at most."""
        self._settings = settings
        self._whole = whole
        self._now = now

    def send(self, message: Message) -> str:
        """Post the message and return the answer's status line. 4xx but 408 and 429 are for good."""
        body, moment = render(message), self._now()
        key = channel.secret(self._settings.secret_file)
        if len(key) < _SHORTEST_SECRET:
            raise DeliveryFailed(f"`{self._settings.secret_file}` holds less than {_SHORTEST_SECRET} octets")
        headers = {
            "content-type": "application/json",
            "connection": "close",
            "webhook-id": message.id,
            "webhook-timestamp": str(moment),
            "webhook-signature": f"v1,{sign(key, message.id, moment, body)}",
        }
        verify = channel.context(self._settings.trusted_file)
        with channel.deadline(self._whole) as deadline:
            try:
                with (
                    client(deadline, verify) as posting,
                    posting.stream("POST", self._settings.url, content=body, headers=headers) as answer,
                ):
                    # Its body says nothing to us, and is as long as the receiver likes: it is left unread.
                    return _judge(answer)
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
                detail = f"the webhook does not answer: {clean(deadline.why(error), 200)}"
                raise DeliveryFailed(detail) from error


def render(message: Message) -> bytes:
    """Return the body: canonical JSON (RFC 8785)."""
    return rfc8785.dumps(
        {
            "id": message.id,
            "type": "guosuo.duties" if message.count else "guosuo.test",
            "at": to_rfc3339(message.at),
            "post": message.post,
            "subject": message.subject,
            "lines": list(message.lines),
            "count": message.count,
            "urgent": message.urgent,
        }
    )


def sign(key: bytes, identifier: str, moment: int, body: bytes) -> str:
    """Return the signature over ``id.timestamp.body`` in base64."""
    signed = b".".join([identifier.encode(), str(moment).encode(), body])
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def _judge(answer: httpx2.Response) -> str:
    said = f"{answer.status_code} {clean(answer.reason_phrase, 60)}".strip()
    if answer.is_success:
        return said
    for_good = answer.is_client_error and answer.status_code not in (408, 429)
    raise DeliveryFailed(f"the webhook answered {said}", for_good=for_good)
