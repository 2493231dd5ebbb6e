"""A conversation ends at its deadline, whatever the other side does with its octets."""

import os
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from core.deadline import Deadline, Found, client
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


def many(_host: str, port: int, *, type: int) -> list[Found]:  # noqa: A002  # as the resolver names it
    return [(socket.AF_INET, type, 6, "", (f"127.9.{one // 250}.{one % 250}", port)) for one in range(1_000)]


def test_a_name_with_many_addresses_has_one_deadline() -> None:
    tried: list[float] = []

    def connect(_address: str, left: float) -> None:
        tried.append(left)
        time.sleep(0.4)
        raise ConnectionRefusedError("nobody is here")

    with Deadline(0.9, silence=10, resolve=many) as deadline, pytest.raises(TimeoutError, match="did not end within"):
        deadline.first("many.example", 9, connect)
    assert 1 <= len(tried) <= 3
    assert tried == sorted(tried, reverse=True)
    assert 0 < tried[0] <= 0.9


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


def test_without_a_descriptor_for_the_guard_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there: list[Found] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", listening.getsockname())]
        context = ssl.create_default_context()
        with Deadline(5, silence=5, resolve=lambda *_, **__: there) as deadline, client(deadline, context) as asking:
            with one_more_descriptor() as free, pytest.raises(httpx2.ConnectError, match="Too many open files"):
                asking.post(f"http://there.example:{listening.getsockname()[1]}/")
            assert lowest_free() == free


@contextmanager
def one_more_descriptor() -> Iterator[int]:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = lowest_free()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, most[1]))
    try:
        yield free
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)


def lowest_free() -> int:
    found = os.dup(0)
    os.close(found)
    return found
