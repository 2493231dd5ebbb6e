"""The whole sensor on a live wire, in namespaces of its own: latency, attribution, blindness, a changed plan."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNSHARE = [
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--mount-proc",
    "--pid",
    "--fork",
    "--kill-child",
]


@pytest.mark.lab
def test_leaks_on_the_wire_name_their_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*UNSHARE, sys.executable, "-m", "tests.monitor.laboratory", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\nlive: ready {seen['ready']} s, leaks {[row[2] for row in seen['leaks']]} s, blind {seen['blind']}")
    for person, named, seconds, summary in seen["leaks"]:
        assert named == person, summary
        assert seconds < 10
        assert "主管 周主政 · 运行 吴运维" in summary
    # The record of a long download comes at its end: the leak is told before, and named as soon as that is there.
    assert seen["slow"][1:] == ["li-wen", 2]
    assert seen["blind"]["told"] < 30
    assert seen["blind"]["windows"] == [["engine-ended", True]]
    assert seen["after-restart"] < 10
    assert seen["silent-under-raised-ceiling"]
    assert seen["findings"] == 6
    assert seen["last-window"] == ["sensor-stopped", True]
    assert seen["left"] == []
