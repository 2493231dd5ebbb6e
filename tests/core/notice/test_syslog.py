"""Syslog as a foreign parser understands it: a real rsyslog, over TLS, TCP and UDP."""

import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from core.notice import syslog as syslog_way
from core.notice.errors import DeliveryFailed
from core.notice.settings import SyslogSettings
from core.notice.syslog import Syslog
from tests.core.notice.messages import HOSTILE, message
from tests.services import dumb, rsyslog
from tests.services.certificate import Identity
from tests.services.rsyslog import Receiver
from tests.services.site import free_port


@pytest.fixture(scope="module")
def receiver(identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with rsyslog.running(tmp_path_factory.mktemp("rsyslog"), identity) as made:
        yield made


def syslog(receiver: Receiver, transport: str, identity: Identity | None = None) -> Syslog:
    settings = {"host": "localhost", "port": getattr(receiver, transport), "transport": transport}
    if identity is not None:
        settings["trusted_file"] = identity.certificate
    return Syslog(SyslogSettings.model_validate(settings), host="guosuo.beichen.example")


def sent(receiver: Receiver, identifier: str) -> dict[str, Any]:
    """Return the one message with this id."""
    count = len(receiver.understood(1))
    while True:
        found = [one for one in receiver.understood(count) if one["structured-data"].count(f'id="{identifier}"')]
        if found:
            assert len(found) == 1
            return found[0]
        count += 1


@pytest.mark.parametrize("transport", ["tls", "tcp", "udp"])
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_rsyslog_understands_it(receiver: Receiver, identity: Identity, transport: str, number: int) -> None:
    identifier = f"{transport}{number:029x}"
    made = message(HOSTILE[number], 3, identifier)
    receipt = syslog(receiver, transport, identity).send(made)
    assert receipt.endswith(f"by {transport}")
    found = sent(receiver, identifier)
    assert found["structured-data"] == f'[guosuo@32473 id="{identifier}" post="czt-head" count="3"]'
    assert (found["hostname"], found["msgid"], found["pri"]) == ("guosuo.beichen.example", "duties", "108")
    assert found["timereported"].startswith("2026-11-20T08:00:00")
    assert made.subject[:40] in found["msg"]


def test_two_messages_are_two(receiver: Receiver) -> None:
    one = syslog(receiver, "tcp")
    for number in (1, 2):
        one.send(message("t", 1, f"two{number:029x}"))
    assert sent(receiver, f"two{1:029x}") != sent(receiver, f"two{2:029x}")


def test_somebody_else_gets_nothing(receiver: Receiver, stranger: Identity) -> None:
    with pytest.raises(DeliveryFailed, match="certificate"):
        syslog(receiver, "tls", stranger).send(message())


@pytest.mark.parametrize("transport", ["tls", "tcp"])
def test_nobody_at_the_port(identity: Identity, transport: str) -> None:
    nobody = SyslogSettings.model_validate(
        {"host": "localhost", "port": free_port(), "transport": transport, "trusted_file": identity.certificate}
    )
    with pytest.raises(DeliveryFailed, match="refused"):
        Syslog(nobody, host="here").send(message())


@pytest.mark.parametrize("transport", ["tls", "tcp", "udp"])
@pytest.mark.parametrize("host", ["x" * 70 + ".example", "a..b", "nowhere.invalid"])
def test_a_host_that_is_none_is_a_failed_delivery(host: str, transport: str) -> None:
    with pytest.raises(DeliveryFailed):
        Syslog(SyslogSettings.model_validate({"host": host, "transport": transport}), host="here").send(message())


def read_all(one: socket.socket) -> None:
    """Read one message, which is sent at once."""
    one.recv(65536)


def leave_open(one: socket.socket) -> None:
    read_all(one)
    time.sleep(syslog_way.FAREWELL + 1)


def keep_talking(one: socket.socket) -> None:
    read_all(one)
    while True:
        one.sendall(b"and another thing\n")
        time.sleep(0.01)


def close_without_a_word(one: socket.socket) -> None:
    read_all(one)
    one.shutdown(socket.SHUT_RDWR)


def refuse(one: socket.socket) -> None:
    """Close with everything unread: the other side is told so (RST)."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def dumb_syslog(port: int, transport: str, identity: Identity) -> Syslog:
    values = {"host": "localhost", "port": port, "transport": transport, "trusted_file": identity.certificate}
    return Syslog(SyslogSettings.model_validate(values), host="here")


@pytest.mark.parametrize("transport", ["tls", "tcp"])
@pytest.mark.parametrize("behave", [leave_open, keep_talking, close_without_a_word], ids=lambda one: one.__name__)
def test_what_was_handed_over_is_delivered_however_it_ends(
    identity: Identity, transport: str, behave: dumb.Behaviour
) -> None:
    with dumb.running(behave, identity if transport == "tls" else None) as port:
        began = time.monotonic()
        assert dumb_syslog(port, transport, identity).send(message()).endswith(f"by {transport}")
        assert time.monotonic() - began < syslog_way.FAREWELL + 3


@pytest.mark.parametrize("transport", ["tls", "tcp"])
def test_who_resets_the_connection_has_taken_nothing(identity: Identity, transport: str) -> None:
    with dumb.running(refuse, identity if transport == "tls" else None) as port, pytest.raises(DeliveryFailed):
        dumb_syslog(port, transport, identity).send(message())
