"""Children that may be killed: forked from a process that has everything imported and no PKCS#11 module loaded.

Importing the product takes seconds, forking milliseconds. ``multiprocessing``'s fork server does exactly this.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.crash.fuse import Fuse

_PRELOADED = [
    "tests.crash.parts",
    "tests.crash.founding_scenarios",
    "tests.crash.notice_scenarios",
    "tests.crash.pair_scenarios",
    "tests.crash.random_kills",
    "tests.crash.recovery_scenarios",
    "tests.crash.scenarios",
    "tests.crash.sensor_scenarios",
    "tests.crash.wire_scenarios",
    "hsm.signerd",
    "hsm.token",
]
_PR_SET_PDEATHSIG = 1

Say = Callable[[str, str], None]


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


class Child:
    """A process that runs ``work(*arguments, say)``; what it says stays readable after its death."""

    def __init__(self, work: Callable[..., None], *arguments: object, fuse: Fuse | None = None) -> None:
        context = _context()
        self._heard, said = context.Pipe(duplex=False)
        self.process = context.Process(target=_live, args=(work, arguments, fuse, said), daemon=True)
        self.process.start()
        said.close()

    def wait(self, timeout: float = 30.0) -> int:
        """Return the exit status once it has ended: -9 after SIGKILL. Fails when it does not end."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.kill()
            raise AssertionError(f"a child did not end within {timeout} s")
        return int(self.process.exitcode)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.join()

    def hear(self, timeout: float = 20.0) -> None:
        """Wait until it has said something, which stays to be read."""
        assert self._heard.poll(timeout), "a child says nothing"

    def said(self) -> Iterator[tuple[str, str]]:
        """Yield what it said, each thing only after it was done."""
        try:
            while self._heard.poll():
                yield self._heard.recv()
        except (EOFError, OSError):
            return


def die_with_parent() -> None:
    """Be killed by the kernel when the parent ends; what a process becomes (its rights, its namespaces) undoes it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _live(work: Callable[..., None], arguments: tuple[object, ...], fuse: Fuse | None, said: Connection) -> None:
    die_with_parent()
    if fuse is not None:
        fuse.arm()
    work(*arguments, lambda kind, value: said.send((kind, value)))


def run_signer(state: Path, _say: Say) -> None:
    """Be the signer process of ``state``."""
    from hsm import signerd

    with (state / "signer.log").open("ab") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    sys.argv = ["signerd", str(state)]
    signerd.main()


def make_token(state: Path, _say: Say) -> None:
    """Make the token of ``state`` in a process of its own."""
    import secrets

    from hsm import token
    from hsm.settings import HsmSettings

    token.initialise(HsmSettings(state=state), secrets.token_bytes)


def await_socket(path: Path, child: Child, timeout: float = 20.0) -> bool:
    """Wait until ``path`` exists; say whether it does before the child ends."""
    deadline = time.monotonic() + timeout
    while not path.exists():
        if child.process.exitcode is not None or time.monotonic() > deadline:
            return path.exists()
        time.sleep(0.005)
    return True
