"""Children die with their parent, and tell their last words."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import Unavailable
from deploy.children import Child, await_path

_PARENT = """
import sys, time
from pathlib import Path
from deploy.children import Child
child = Child("sleeper", ["sleep", "60"], log=Path(sys.argv[1]) / "log")
(Path(sys.argv[1]) / "pid").write_text(str(child.pid))
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path)])
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = int((tmp_path / "pid").read_text())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stubborn_child_is_killed(tmp_path: Path) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = Child("deaf", [sys.executable, "-c", script], log=tmp_path / "log")
    while "deaf" not in child.last_words():
        time.sleep(0.02)
    child.stop(patience=0.2)
    assert child.ended() == -signal.SIGKILL


def test_waiting_for_a_child_that_ends_repeats_its_last_words(tmp_path: Path) -> None:
    child = Child("clumsy", [sys.executable, "-c", "raise SystemExit('no token here')"], log=tmp_path / "log")
    with pytest.raises(Unavailable, match="no token here"):
        await_path(tmp_path / "never", child)
