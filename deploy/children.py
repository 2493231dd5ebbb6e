"""Child processes that die with their parent (prctl PR_SET_PDEATHSIG), and their orderly end."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.errors import Unavailable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _dying_with(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # The parent ended between fork and prctl: nobody will ever signal us.
            os._exit(1)

    return prepare


class Child:
    """A named program that we started; its output goes to a log file."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start ``command``."""
        self.name = name
        self.log = log
        with log.open("ab") as sink:
            # A thread that forks would make PDEATHSIG fire when that thread ends: start children from the main one.
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509
                env=dict(environment) if environment is not None else None,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ended(self) -> int | None:
        """Return the exit status, or nothing while it runs."""
        return self._process.poll()

    def stop(self, patience: float = 10.0) -> None:
        """Ask the child to end, and kill it when it has not after ``patience`` seconds."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the child at once (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def last_words(self, lines: int = 8) -> str:
        """Return the end of the child's log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def await_path(path: Path, child: Child, *, timeout: float = 30.0) -> None:
    """Wait until ``path`` exists; raises ``Unavailable`` with the child's last words when it ends or time runs out."""
    deadline = time.monotonic() + timeout
    while not path.exists():
        if child.ended() is not None:
            raise Unavailable(f"{child.name} ended while starting: {child.last_words(3)}", hint=f"see `{child.log}`")
        if time.monotonic() > deadline:
            raise Unavailable(f"{child.name} did not start within {timeout:.0f} s", hint=f"see `{child.log}`")
        time.sleep(0.02)
