"""``guosuo evidence verify`` is the auditor's program under the product's roof."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verify.conftest import Sound

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.cli", "evidence", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("as_json", [False, True])
def test_verify(sound: Sound, tmp_path: Path, as_json: bool) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(sound.members["checkpoints/5"])
    more = ["--json"] if as_json else []
    done = run("verify", str(sound.path), "--fingerprint", sound.fingerprint, "--known", str(kept), *more)
    assert done.returncode == 0, done.stderr
    assert "known" in done.stdout
    assert not as_json or json.loads(done.stdout)["ok"]
    assert run("verify", str(sound.path), "--fingerprint", "0" * 64, *more).returncode == 1
    assert run("verify", str(sound.path), "--fingerprint", "0", *more).returncode == 2
