"""When token, PIN or signer is not what it was: said at once, never made worse, and over when it is over."""

import hashlib
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from core.errors import TrustError, Unavailable
from hsm import inventory, protocol
from hsm.client import SignerClient
from hsm.errors import BadLabel, BadRequest, MechanismRefused, PinRefused, SignerUnavailable
from hsm.inventory import Entry
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from tests.services.softhsm import Running

DIGEST = hashlib.sha256(b"guosuo").digest()


def make(signer: Running, label: str = "outage") -> KeyInfo:
    return signer.client.generate(label, KeyAlgorithm.P256, KeyPurpose.CA)


@contextmanager
def without_token(signer: Running) -> Iterator[None]:
    tokens, away = signer.settings.tokens, signer.settings.state / "away"
    tokens.rename(away)
    try:
        yield
    finally:
        away.rename(tokens)


def await_signature(client: SignerClient, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            client.sign("outage", DIGEST)
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_outages_come_and_go_under_load(fresh_signer: Running) -> None:
    """Eight threads sign all the time; twice the token is away. They see errors only then, and all work again."""
    make(fresh_signer)
    stop, wrong, done = threading.Event(), list[str](), list[int]()

    def work() -> None:
        client, count = SignerClient(fresh_signer.settings.socket), 0
        while not stop.is_set():
            try:
                client.sign("outage", DIGEST)
                count += 1
            except Unavailable:
                time.sleep(0.01)
            except TrustError as error:
                wrong.append(repr(error))
        done.append(count)
        client.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.2)
        with without_token(fresh_signer):
            time.sleep(0.3)
        await_signature(fresh_signer.client)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(done) == 8
    assert min(done) > 0
    await_signature(fresh_signer.client)
    assert fresh_signer.client.health().generation >= 3


def test_keys_made_before_and_after_an_outage_both_sign(fresh_signer: Running) -> None:
    make(fresh_signer)
    with without_token(fresh_signer), pytest.raises(Unavailable):
        fresh_signer.client.sign("outage", DIGEST)
    await_signature(fresh_signer.client)
    make(fresh_signer, "later")
    assert fresh_signer.client.sign("later", DIGEST)
    assert fresh_signer.client.sign("outage", DIGEST)


def test_pin_that_became_wrong_is_tried_once_and_said_at_once(fresh_signer: Running) -> None:
    """The token was away, and the PIN is another now: one attempt, then every request is refused without waiting."""
    make(fresh_signer)
    pin = fresh_signer.settings.user_pin_file
    right = pin.read_bytes()
    with without_token(fresh_signer), pytest.raises(Unavailable):
        fresh_signer.client.sign("outage", DIGEST)
    replace(pin, b"0" * 32)
    deadline = time.monotonic() + 15
    while True:
        with pytest.raises(Unavailable) as caught:
            fresh_signer.client.sign("outage", DIGEST)
        if isinstance(caught.value, PinRefused):
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # The right one is back, and it is still not tried: a person starts the signer again.
    replace(pin, right)
    began = time.monotonic()
    for _ in range(8):
        with pytest.raises(PinRefused, match="not tried again"):
            fresh_signer.client.sign("outage", DIGEST)
    assert time.monotonic() - began < 5
    fresh_signer.kill()
    fresh_signer.start()
    assert fresh_signer.client.sign("outage", DIGEST)


def test_pin_file_that_is_gone_is_said_and_may_come_back(fresh_signer: Running) -> None:
    make(fresh_signer)
    pin = fresh_signer.settings.user_pin_file
    right = pin.read_bytes()
    with without_token(fresh_signer), pytest.raises(Unavailable):
        fresh_signer.client.sign("outage", DIGEST)
    pin.unlink()
    deadline = time.monotonic() + 15
    while True:
        with pytest.raises(Unavailable) as caught:
            fresh_signer.client.sign("outage", DIGEST)
        if "PIN file" in caught.value.detail:
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    replace(pin, right)
    await_signature(fresh_signer.client)


def replace(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o400)


def test_key_that_was_swapped_behind_our_back_signs_nothing(fresh_signer: Running) -> None:
    """Two keys change places in the inventory: the signer refuses to start with either under the other's name."""
    make(fresh_signer)
    make(fresh_signer, "other")
    fresh_signer.stop()
    path = fresh_signer.settings.inventory
    entries = inventory.read(path)
    one, two = entries["outage"], entries["other"]
    swapped = {"outage": Entry(one.info, two.identifier), "other": Entry(two.info, one.identifier)}
    inventory.write(path, {**entries, **swapped})
    with pytest.raises(RuntimeError, match=r"`(outage|other)` in the token is another one"):
        fresh_signer.start()
    inventory.write(path, entries)
    fresh_signer.start()
    assert fresh_signer.client.sign("outage", DIGEST)


def test_key_that_is_not_in_the_token_is_named(fresh_signer: Running) -> None:
    make(fresh_signer)
    fresh_signer.stop()
    path = fresh_signer.settings.inventory
    entries = inventory.read(path)
    lost = Entry(entries["outage"].info, secrets.token_bytes(16))
    inventory.write(path, {**entries, "outage": lost})
    with pytest.raises(RuntimeError, match="`outage` is not in the token"):
        fresh_signer.start()


@pytest.mark.parametrize("content", ["", "{", "[{}]", "[1]", '{"a": 1}', "null", '[{"label": "x"}]'])
def test_damaged_inventory_is_said(fresh_signer: Running, content: str) -> None:
    fresh_signer.stop()
    fresh_signer.settings.inventory.write_text(content)
    with pytest.raises(RuntimeError) as caught:
        fresh_signer.start()
    assert "inventory" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_signer_without_a_token_says_how_to_make_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hsm.signerd", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("there is no token of ours")
    assert "guosuo init" in done.stderr


FRAMES = {
    "another tag": {"type": "destroy", "label": "outage"},
    "no tag": {"label": "outage", "data": DIGEST},
    "a field too many": {"type": "sign", "label": "outage", "data": DIGEST, "mechanism": "raw"},
    "a field too few": {"type": "sign", "label": "outage"},
    "another type": {"type": "sign", "label": 1, "data": DIGEST},
    "text for octets": {"type": "sign", "label": "outage", "data": 7},
    "an unknown algorithm": {"type": "generate", "label": "x", "algorithm": "rsa-1024", "purpose": "ca"},
    "an unknown purpose": {"type": "generate", "label": "x", "algorithm": "p256", "purpose": "anything"},
    "a list": ["sign", "outage", DIGEST],
    "nothing": None,
}


@pytest.mark.parametrize("name", FRAMES)
def test_frame_that_is_no_request_is_refused_and_the_conversation_ends(signer_process: Running, name: str) -> None:
    make(signer_process)
    content = msgspec.msgpack.encode(FRAMES[name])
    with connected(signer_process) as hostile:
        hostile.sendall(len(content).to_bytes(4, "big") + content)
        answer = protocol.receive(hostile)
        assert answer is not None
        with pytest.raises(BadRequest):
            protocol.parse_answer(answer)
        assert protocol.receive(hostile) is None
    assert signer_process.client.sign("outage", DIGEST)


def test_huge_message_is_refused_before_it_is_read(signer_process: Running) -> None:
    make(signer_process)
    with connected(signer_process) as hostile:
        hostile.sendall((protocol.LARGEST + 1).to_bytes(4, "big"))
        answer = protocol.receive(hostile)
        assert answer is not None
        with pytest.raises(BadRequest, match="longer than"):
            protocol.parse_answer(answer)
    assert signer_process.client.sign("outage", DIGEST)


@pytest.mark.parametrize("label", ["", "x" * 65, "a\x00b", "../x", "北辰", "a b", "-a", "a-", "A", "a\n"])
def test_odd_label_is_refused(signer_process: Running, label: str) -> None:
    before = list(signer_process.client.keys())
    with pytest.raises(BadLabel):
        make(signer_process, label)
    assert list(signer_process.client.keys()) == before


def test_silent_clients_do_not_keep_others_waiting(signer_process: Running) -> None:
    make(signer_process)
    silent = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(20)]
    try:
        for one in silent:
            one.connect(str(signer_process.settings.socket))
            one.sendall(b"\x00\x00\x00\x20half")
        with ThreadPoolExecutor(4) as threads:
            assert len(list(threads.map(lambda _: signer_process.client.sign("outage", DIGEST), range(20)))) == 20
    finally:
        for one in silent:
            one.close()


@contextmanager
def connected(signer: Running) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(5)
        made.connect(str(signer.settings.socket))
        yield made


@contextmanager
def impostor(path: Path, answer: bytes) -> Iterator[None]:
    """Something else listens where the signer should, and answers everything with ``answer``."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    listener.settimeout(0.1)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _address = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\x00\x00\x04junk", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00"]
)
def test_impostor_at_the_socket_is_not_believed(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "s"
    with impostor(path, answer):
        client = SignerClient(path, timeout=2)
        with pytest.raises(SignerUnavailable):
            client.sign("outage", DIGEST)
        client.close()


def test_same_key_for_everybody_who_asks_at_once(fresh_signer: Running) -> None:
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda _: make(fresh_signer, "asked-by-many"), range(6)))
    assert len({one.spki for one in made}) == 1


def test_keys_are_made_while_others_sign(fresh_signer: Running) -> None:
    make(fresh_signer)
    with ThreadPoolExecutor(6) as threads:
        signing = [threads.submit(fresh_signer.client.sign, "outage", DIGEST) for _ in range(100)]
        making = [threads.submit(make, fresh_signer, f"made-{number}") for number in range(6)]
        assert all(one.result() for one in signing)
        assert len({one.result().spki for one in making}) == 6


def test_longest_message_and_not_one_octet_more(signer_process: Running) -> None:
    signer_process.client.generate("long", KeyAlgorithm.ED25519, KeyPurpose.CHECKPOINT)
    assert signer_process.client.sign("long", b"x" * 65_536)
    for data in (b"x" * 65_537, b""):
        with pytest.raises(MechanismRefused):
            signer_process.client.sign("long", data)
