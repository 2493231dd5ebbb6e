"""The whole sensor on a live wire, in namespaces of its own: latency, attribution, blindness, a changed plan."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.monitor import service
from tests.monitor.laboratory_sensor import LEAKS

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
    seen = laboratory("tests.monitor.laboratory", tmp_path)
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
    # Files that were read to their end are gone; at most the one being left is still there.
    assert seen["rotated"]
    assert seen["old-files"] <= 1
    assert seen["left"] == []


@pytest.mark.lab
@pytest.mark.parametrize("stores", ["sqlite"], indirect=True, scope="session")
def test_the_sensor_as_a_program(site: service.Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The store with its authority goes into the laboratory, where there is no token and no way out.
    shutil.copy(str(make_url(site.database.url).database), tmp_path / "store.sqlite3")
    seen = laboratory("tests.monitor.laboratory_sensor", tmp_path)
    with capsys.disabled():
        print(f"\nsensor: ready {seen['ready']} s, {LEAKS} leaks {seen['median']} s, at most {seen['slowest']} s")
    assert seen["slowest"] < 10
    assert seen["people"] == ["('li-wen', '机密★10年')"]
    # The centre was away: nothing is lost, it comes when it is back.
    assert seen["delivered-later"] is not None
    # Killed, the sensor leaves no engine behind, and its next start tells from when it had not seen.
    assert seen["engine-gone"] is not None
    assert seen["ready-again"] is not None
    assert seen["told-after-kill"] is not None
    assert seen["seen-after-kill"] is not None
    # Both signals end it in order: status 0, no complaint, in time, no `ready`, no engine.
    for number in ("sigterm", "sigint"):
        assert seen[f"ended-by-{number}"] == [0, "", True, False, []]
    assert seen["last-window"] == ["sensor-stopped", False]
    assert seen["ready-without-centre"] is not None
    assert seen["delivered-in-the-end"] is not None
    assert seen["findings"] == LEAKS + 3


def laboratory(module: str, directory: Path) -> dict[str, Any]:
    """Play ``module`` in namespaces of its own and return what it saw; all of it is gone afterwards."""
    command = [*UNSHARE, sys.executable, "-m", module, str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert isinstance(seen, dict)
    return seen
