"""A file is whole or absent, also when the process ends between any two steps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import durable

ROOT = Path(__file__).parents[2]


def test_written_replaced_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    durable.write(path, b"one")
    durable.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


def test_the_mode_is_that_asked_for_even_if_the_file_was_open_to_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o666)
    durable.write(path, b"new", mode=0o640)
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_a_crash_left_is_replaced_and_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / ".file.new").symlink_to(victim)
    durable.write(tmp_path / "file", b"content")
    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_folder_that_is_not_there_is_an_error_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        durable.write(tmp_path / "absent" / "file", b"content")
    assert list(tmp_path.iterdir()) == []


_CRASH = """
import os, sys
from pathlib import Path
from core import durable
# The nth call of the kernel that this program makes from `durable` ends the process.
left = int(sys.argv[2])
def count(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove"):
        left -= 1
        if left < 0:
            os._exit(9)
sys.addaudithook(count)
durable.write(Path(sys.argv[1]), b"new" * 1000)
os._exit(0)
"""


def test_the_old_file_or_the_new_one_wherever_the_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    seen: set[tuple[int, bytes]] = set()
    for calls in range(10):
        path.write_bytes(b"old")
        done = subprocess.run(
            [sys.executable, "-c", _CRASH, str(path), str(calls)],
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        seen.add((done.returncode, path.read_bytes()[:3]))
        if done.returncode == 0:
            break
    assert seen == {(9, b"old"), (9, b"new"), (0, b"new")}
