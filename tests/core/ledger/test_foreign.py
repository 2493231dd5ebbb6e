"""A verifier that is none of ours: the Go project's own log code reads our notes and tiles, offline."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.core.ledger.logs import Log

SOURCE = Path(__file__).with_name("verifylog.go")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's Go and its package of golang.org/x/mod, built without a module proxy or a network."""
    folder = tmp_path_factory.mktemp("go")
    go = shutil.which("go") or next(iter(sorted(map(str, Path("/usr/lib").glob("go-*/bin/go")))), "")
    assert go, "Debian's golang-go is not installed: run deploy/setup.sh --packages"
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    shutil.copy(SOURCE, folder / "main.go")
    command = [go, "build", "-o", str(folder / "verifylog"), "main.go"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "verifylog"


def verified(program: Path, folder: Path, vkey: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), str(folder), vkey], capture_output=True, text=True, check=False)


def grown(log: Log, *counts: int) -> int:
    for count in counts:
        log.append(count)
        log.sequencer().run_once()
    return sum(counts)


@pytest.mark.parametrize("counts", [(1,), (5, 250, 1, 1), (300, 300, 1200)])
def test_our_log_and_its_mirror_are_accepted(sqlite_log: Log, program: Path, counts: tuple[int, ...]) -> None:
    size = grown(sqlite_log, *counts)
    for folder in (sqlite_log.directory, sqlite_log.mirror):
        done = verified(program, folder, sqlite_log.vkey)
        assert done.stdout.startswith(f"ok: {size} records, "), done.stderr


def test_what_we_call_tampering_it_calls_so_too(sqlite_log: Log, program: Path) -> None:
    grown(sqlite_log, 300, 40)
    folder = sqlite_log.directory
    for name, old, new in (
        ("tile/entries/000", b"thing:7", b"thing:8"),
        ("tile/0/001.p/84", None, bytes(84 * 32)),
        ("tile/1/000.p/1", None, bytes(32)),
        ("checkpoint", b"\n340\n", b"\n341\n"),
        ("checkpoints/300", b"\n300\n", b"\n301\n"),
    ):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(new if old is None else content.replace(old, new))
        assert verified(program, folder, sqlite_log.vkey).returncode == 1, name
        (folder / name).write_bytes(content)
    assert verified(program, folder, sqlite_log.vkey).returncode == 0
    assert verified(program, folder, sqlite_log.vkey.replace("sample", "simple")).returncode == 1
