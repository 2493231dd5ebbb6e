"""A real Suricata over a capture: configuration and rules as the sensor uses them, records as the sensor reads them."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor import configuration, rules
from monitor.rules import Boundary


def program() -> str:
    found = shutil.which("suricata")
    if found is None:
        raise RuntimeError("suricata is missing: run deploy/setup.sh")
    return found


def prepare(directory: Path, boundaries: Sequence[Boundary]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("classification.config", "reference.config", "threshold.config"):
        (directory / name).touch()
    (directory / configuration.CONFIGURATION).write_text(configuration.render(directory, ["lo"]))
    (directory / configuration.RULES).write_text(rules.render(boundaries), encoding="utf-8")


def run(directory: Path, *arguments: str) -> None:
    line = [program(), "-c", str(directory / configuration.CONFIGURATION), "-l", str(directory), "-k", "none"]
    done = subprocess.run([*line, *arguments], capture_output=True, text=True, timeout=120, check=False)
    log = directory / configuration.LOG
    text = log.read_text() if log.exists() else ""
    assert done.returncode == 0, f"{text}{done.stdout}{done.stderr}"
    assert " Error" not in text, text


def inspect(directory: Path, capture: Path, boundaries: Sequence[Boundary]) -> list[dict[str, Any]]:
    """Return every EVE record but statistics that Suricata writes for ``capture``."""
    prepare(directory, boundaries)
    run(directory, "-r", str(capture))
    lines = (directory / configuration.EVE).read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["event_type"] != "stats"]
