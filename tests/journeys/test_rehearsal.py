"""The whole day on real parts, as ``make demo`` runs it; it leaves a bundle, a report, and nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import guosuo_verify

REHEARSE = [sys.executable, "-m", "deploy.cli", "rehearse", "--json", "--out"]


@pytest.mark.lab
def test_the_day(tmp_path: Path) -> None:
    out = tmp_path / "day"
    done = subprocess.run([*REHEARSE, str(out)], capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout, done.stderr[-4000:]
    outcome = json.loads(done.stdout)
    failed = [(step["number"], step["title"], step["seen"]) for step in outcome["steps"] if not step["ok"]]
    assert failed == []
    assert (outcome["ok"], done.returncode) == (True, 0)
    assert len(outcome["steps"]) >= 18
    assert sorted(path.name for path in out.iterdir()) == ["drill.html", "evidence.zip", "outcome.json", "report.html"]
    assert guosuo_verify.main([outcome["bundle"], "--fingerprint", outcome["fingerprint"]]) == 0


@pytest.mark.lab
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_day_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "day"
    process = subprocess.Popen(
        [*REHEARSE, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 90
    while not (out / "state" / "site" / "run" / "signer.sock").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    if number is signal.SIGINT:
        # As a terminal does it: to everybody in the foreground.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(60) != 0
    # Who is killed cannot sweep: the state folder stays then, and the next run removes it.
    assert (out / "state").exists() is (number is signal.SIGKILL)
    while _mentioned(str(out)):
        assert time.monotonic() < deadline, _mentioned(str(out))
        time.sleep(0.05)


def _mentioned(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in line:
                found.append(line)
    return found


def test_missing_part_stops_at_preflight(tmp_path: Path) -> None:
    """With Suricata out of reach nothing is started, and it is named."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*"):
            if program.name != "suricata" and not (bare / program.name).exists():
                (bare / program.name).symlink_to(program)
    environment = {**os.environ, "PATH": str(bare)}
    command = [*REHEARSE, str(tmp_path / "day")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 1
    assert "suricata" in done.stderr.lower()
    assert not (tmp_path / "day").exists()
