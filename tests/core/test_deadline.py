"""A conversation ends at its deadline, whatever the other side does with its octets."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from core.deadline import Deadline, client
from core.ledger.errors import WitnessFailed
from core.notice.errors import DeliveryFailed
from core.notice.mail import Mail
from core.notice.settings import MailSettings
from deploy.outward import HttpPoster
from tests.core.notice.messages import message
from tests.services import certificate, dumb
from tests.services.certificate import Identity

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return certificate.make(tmp_path_factory.mktemp("identity"))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
        (OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x10\0\0\0\0\0\xff", b"c"),
        # Without a length its end is that of the connection: what was cut off must not look like an answer.
        (OK + b"\r\n", b"c"),
    ],
    ids=["a header", "headers", "1xx", "trailers", "what unpacks to nothing", "a body without an end"],
)
def test_who_drips_is_not_waited_for(identity: Identity, beginning: bytes, drop: bytes, tls: bool) -> None:
    with dumb.running(dumb.dripping(beginning, drop), identity if tls else None) as port:
        scheme, poster = (
            ("https", HttpPoster(identity.certificate, patience=1)) if tls else ("http", HttpPoster(patience=1))
        )
        with within(4), pytest.raises(WitnessFailed, match="did not end within 1 s"):
            poster.post(f"{scheme}://localhost:{port}/", b"", kind="text/plain", largest=10_000)


@pytest.mark.parametrize("security", ["none", "tls"])
def test_a_relay_that_drips_is_not_waited_for(identity: Identity, security: str) -> None:
    behave = dumb.dripping(b"220-", b"x")
    with dumb.running(behave, identity if security == "tls" else None) as port:
        values = {"host": "localhost", "port": port, "sender": "a@site.example", "security": security}
        settings = MailSettings.model_validate({**values, "trusted_file": identity.certificate})
        with within(4), pytest.raises(DeliveryFailed, match="did not end within 1 s") as caught:
            Mail(settings, whole=1).send(message())
    assert not caught.value.for_good


def test_a_name_with_many_addresses_has_one_deadline() -> None:
    tried: list[float] = []

    def connect(_address: str, left: float) -> None:
        tried.append(left)
        time.sleep(0.4)
        raise ConnectionRefusedError("nobody is here")

    with Deadline(0.3, silence=10) as deadline, pytest.raises((TimeoutError, ConnectionRefusedError)):
        deadline.first("localhost", 9, connect)
    assert len(tried) == 1
    assert 0 < tried[0] <= 0.3


def test_what_ends_in_time_is_left_alone_and_nothing_stays_behind() -> None:
    before = threading.active_count()

    def behave(one: socket.socket) -> None:
        one.recv(65536)
        one.sendall(OK + b"Content-Length: 2\r\n\r\nhi")

    with dumb.running(behave) as port:
        for _ in range(20):
            with Deadline(30, silence=5) as deadline, client(deadline, ssl.create_default_context()) as asking:
                assert asking.post(f"http://127.0.0.1:{port}/").text == "hi"
                assert not deadline.is_over
    assert threading.active_count() == before


def test_nobody_at_the_port_is_told_as_that() -> None:
    with Deadline(5, silence=5) as deadline, client(deadline, ssl.create_default_context()) as asking:
        with pytest.raises(httpx2.ConnectError, match="refused"):
            asking.post("http://127.0.0.1:9/")
        with pytest.raises(httpx2.ConnectError):
            asking.post("http://nowhere.invalid/")
