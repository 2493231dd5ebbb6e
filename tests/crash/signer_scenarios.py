"""Kills inside the signer process and while a token is made: what is left of token, inventory and socket."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core import durable
from hsm.errors import SignerUnavailable
from hsm.models import KeyAlgorithm, KeyInfo, KeyPurpose
from hsm.settings import HsmSettings
from tests.crash import nursery
from tests.crash.fuse import Fuse
from tests.crash.nursery import Child, Say
from tests.crash.site import Token
from tests.memory import MEMORY

Strike = Callable[[Token, Fuse, str], None]


def kill_while_generating(token: Token, fuse: Fuse, label: str) -> None:
    """The client is told that there is no answer; the same request again gives one key pair, and one only."""
    token.stop()
    assert token.start(fuse)
    with pytest.raises(SignerUnavailable):
        _generate(token, label)
    _assert_killed(token.signer)
    token.settle()
    info = _generate(token, label)
    assert _objects(token.settings, label) == 2
    assert _generate(token, label) == info
    token.settle()


def kill_while_starting(token: Token, fuse: Fuse, label: str) -> None:
    """Nothing is lost; clients are told that nobody answers until the signer is started again."""
    token.stop()
    token.start(fuse)
    _assert_killed(token.signer)
    with pytest.raises(SignerUnavailable):
        token.client.keys()
    token.settle()
    _generate(token, label)


def kill_while_putting_back(token: Token, fuse: Fuse, label: str) -> None:
    """``token.object`` was emptied by an earlier kill, and the next start is killed while it puts it back."""
    token.stop()
    for path in token.settings.tokens.glob("*/token.object"):
        path.write_bytes(b"")
    kill_while_starting(token, fuse, label)


def kill_while_making(_token: Token, fuse: Fuse, label: str) -> None:
    """Whatever was begun, the next run makes a token that works, with the PINs that are in the files."""
    with tempfile.TemporaryDirectory(prefix="gs-made-", dir=MEMORY) as folder:
        made = Token(Path(folder) / "state")
        _assert_killed(Child(nursery.make_token, made.settings.state, fuse=fuse))
        pins = [path.read_text() for path in (made.settings.user_pin_file, made.settings.so_pin_file)]
        try:
            made.make()
            assert pins == [path.read_text() for path in (made.settings.user_pin_file, made.settings.so_pin_file)]
            _generate(made, label)
            made.settle()
            assert len(list(made.settings.tokens.iterdir())) == 1
        finally:
            made.stop()


def kill_while_writing(_token: Token, fuse: Fuse, label: str) -> None:
    """The file is the one before, whole; what was begun is removed by the next write."""
    with tempfile.TemporaryDirectory(prefix="gs-file-", dir=MEMORY) as folder:
        path = Path(folder) / label
        child = Child(_write_again_and_again, path, fuse=fuse)
        _assert_killed(child)
        last = [value for _kind, value in child.said()][-1:]
        assert [path.read_text()] == last if last else not path.exists()
        assert len(list(Path(folder).iterdir())) == 1 + bool(last)
        durable.write(path, b"after")
        assert [one.read_bytes() for one in Path(folder).iterdir()] == [b"after"]


def _write_again_and_again(path: Path, say: Say) -> None:
    for number in range(10):
        durable.write(path, str(number).encode())
        say("written", str(number))


def _generate(token: Token, label: str) -> KeyInfo:
    return token.client.generate(label, KeyAlgorithm.P256, KeyPurpose.CRL)


def _assert_killed(child: Child | None) -> None:
    assert child is not None
    assert child.wait() == -signal.SIGKILL


def _objects(settings: HsmSettings, label: str) -> int:
    """Count the objects with a label, by another program than ours."""
    line = ["pkcs11-tool", "--module", str(settings.module), "--token-label", "guosuo", "--list-objects", "--login"]
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings.configuration), "P": settings.user_pin_file.read_text()}
    done = subprocess.run([*line, "--pin", "env:P"], capture_output=True, text=True, env=environment, check=True)
    return sum(text.split("label:")[1].strip() == label for text in done.stdout.splitlines() if "label:" in text)


#: By point: what is done to the token, and how often the point is passed while it is done.
SIGNER_SCENARIOS: dict[str, tuple[Strike, int]] = {
    "core.durable.write#1": (kill_while_writing, 5),
    "hsm.keys.KeyStore.generate#1": (kill_while_generating, 1),
    "hsm.keys.KeyStore._enter#1": (kill_while_generating, 1),
    "hsm.module.Module.make_token#1": (kill_while_making, 1),
    "hsm.recovery.secure#1": (kill_while_starting, 1),
    "hsm.recovery._restore#1": (kill_while_putting_back, 1),
    "hsm.signerd.serve#1": (kill_while_starting, 1),
    "hsm.token.initialise#1": (kill_while_making, 1),
    "hsm.token.initialise#2": (kill_while_making, 1),
}
