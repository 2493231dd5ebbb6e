"""Webhooks to a real server: signed so that anybody with the key can check it, over TLS, and never redirected."""

import base64
import hashlib
import hmac
import json
import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.notice.errors import DeliveryFailed
from core.notice.settings import WebhookSettings
from core.notice.webhook import Webhook
from tests.core.notice.messages import HOSTILE, message
from tests.services import dumb
from tests.services import hook as hooks
from tests.services.certificate import Identity

KEY = b"k" * 40


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(KEY + b"\n")
    return path


def webhook(url: str, secret: Path, identity: Identity | None = None) -> Webhook:
    trusted = identity.certificate if identity else None
    return Webhook(WebhookSettings(url=url, secret_file=secret, trusted_file=trusted), now=lambda: 1_795_161_600)


@pytest.mark.parametrize("title", ["证书即将到期", *HOSTILE])
def test_a_message_arrives_signed(identity: Identity, secret: Path, title: str) -> None:
    with hooks.running(identity) as hook:
        receipt = webhook(f"https://localhost:{hook.port}/in", secret, identity).send(message(title))
    assert receipt == "204 No Content"
    ((headers, body),) = hook.taken
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == "1795161600"
    found = json.loads(body)
    assert (found["id"], found["post"], found["count"]) == ("ab" * 16, "czt-head", 1)
    assert tuple(found["lines"]) == message(title).lines


def test_somebody_else_gets_nothing(identity: Identity, stranger: Identity, secret: Path) -> None:
    with hooks.running(stranger) as hook:
        for trusted in (identity, stranger):
            with pytest.raises(DeliveryFailed, match="does not answer") as caught:
                webhook(f"https://localhost:{hook.port}/in", secret, trusted).send(message())
            assert not caught.value.for_good
    assert hook.taken == []


@pytest.mark.parametrize(
    ("code", "for_good"),
    [(301, False), (307, False), (400, True), (410, True), (408, False), (429, False), (503, False)],
)
def test_only_success_is_a_delivery(secret: Path, code: int, for_good: bool) -> None:
    with hooks.running() as hook:
        hook.answers.append(code)
        with pytest.raises(DeliveryFailed, match=str(code)) as caught:
            webhook(f"http://127.0.0.1:{hook.port}/in", secret).send(message())
    assert caught.value.for_good is for_good
    assert len(hook.taken) == 1


@pytest.mark.parametrize(("content", "why"), [(b"short", "less than 32"), (b"\n", "empty"), (None, "cannot be read")])
def test_a_key_that_cannot_sign_sends_nothing(secret: Path, content: bytes | None, why: str) -> None:
    secret.unlink()
    if content is not None:
        secret.write_bytes(content)
    with hooks.running() as hook, pytest.raises(DeliveryFailed, match=why):
        webhook(f"http://127.0.0.1:{hook.port}/in", secret).send(message())
    assert hook.taken == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/in",
        "ftp://localhost/",
        "https://user:word@hooks.example/",
        "https://",
        "localhost/in",
        "",
        "https://h:99999/",
        "https://h:0/",
        "https://[x/",
    ],
)
def test_an_address_that_would_leak_is_refused(url: str, secret: Path) -> None:
    with pytest.raises(ValidationError):
        WebhookSettings(url=url, secret_file=secret)


@pytest.mark.parametrize("host", ["x" * 70 + ".example", "a..b", "nowhere.invalid"])
def test_a_host_that_is_none_is_a_failed_delivery(host: str, secret: Path) -> None:
    with pytest.raises(DeliveryFailed):
        webhook(f"https://{host}/in", secret).send(message())


def endless(one: socket.socket) -> None:
    one.recv(65536)
    one.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        one.sendall(b"x" * 65536)


def test_an_answer_without_an_end_is_a_delivery_and_not_read(secret: Path) -> None:
    with dumb.running(endless) as port:
        assert webhook(f"http://127.0.0.1:{port}/in", secret).send(message()) == "200 OK"


def test_a_receiver_that_drips_its_headers_is_not_waited_for(secret: Path) -> None:
    with dumb.running(dumb.dripping(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x")) as port:
        settings = WebhookSettings(url=f"http://127.0.0.1:{port}/in", secret_file=secret)
        with pytest.raises(DeliveryFailed, match="did not end within 1 s") as caught:
            Webhook(settings, now=lambda: 0, whole=1).send(message())
    assert not caught.value.for_good
