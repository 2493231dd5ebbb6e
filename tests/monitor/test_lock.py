"""One sensor to a directory, also while the engine of one that was killed still lives."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import Conflict
from monitor import lock


def test_a_second_one_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held(path), pytest.raises(Conflict, match="runs in") as refused, lock.held(path, patience=0.2):
        pass
    assert refused.value.word == "in-use"
    assert refused.value.hint
    with lock.held(path, patience=0.2):
        pass


def test_whoever_inherits_it_holds_it_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held(path) as file:
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        engine = subprocess.Popen(command, pass_fds=(file,))
    try:
        with pytest.raises(Conflict), lock.held(path, patience=0.2):
            pass
    finally:
        engine.kill()
        engine.wait()
    with lock.held(path, patience=5):
        pass


def test_it_waits_for_one_that_is_ending(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held(path) as file:
        engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"], pass_fds=(file,))
    begun = time.monotonic()
    with lock.held(path, patience=20):
        assert engine.wait(10) == 0
    assert time.monotonic() - begun < 15


def test_a_directory_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError), lock.held(tmp_path / "missing" / "lock"):
        pass
