"""Afternoon: a marked document crosses the border. Whose was it, and who answers for it?"""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping

from core.ledger.entry import JsonValue
from deploy.client import items
from deploy.rehearsal.access import SENSOR_DEVICE
from deploy.rehearsal.stage import DOCUMENTS, Stage
from deploy.rehearsal.step import Journal, Step, missing, wait_for
from deploy.rehearsal.trust import ANALYST, CIVIL_SERVANT, COLLEAGUE

_ENCODINGS = ("utf-8", "gb18030", "utf-16le")

Alert = Mapping[str, JsonValue]

#: Who must be named: the two readers, and who answers for the system at the time (主管 and 运行).
NAMES = {CIVIL_SERVANT: "李文", COLLEAGUE: "孙悦"}
OFFICERS = ("主管 周主政", "运行 吴运维")


def play(stage: Stage) -> None:
    """Run the scene."""
    _watch(stage, stage.journal)
    _name_the_leak(stage, stage.journal)
    _stay_silent(stage, stage.journal)


def _watch(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "监测边界 · watch the border",
        "Suricata listens on both hops, with rules made from each domain's ceiling",
        vital=True,
    ) as step:
        sensor = stage.player(SENSOR_DEVICE)
        folder = stage.work / "sensor"
        command = [sys.executable, "-m", "deploy.cli", "sensor", "run", "--directory", str(folder)]
        command += ["--interface", "hopfin0", "--interface", "hopoff0"]
        environment = {"GUOSUO_HOME": str(sensor.home)}
        child = stage.start("sensor", command, namespace="gateway", environment=environment)
        ready = wait_for(lambda: (folder / "ready").exists() or child.ended() is not None, seconds=40)
        step.check(ready is not None and child.ended() is None, f"the sensor watches after {ready or 0:.1f} s")
        rules = (folder / "guosuo.rules").read_text(encoding="utf-8")
        count = sum(line.startswith("alert ") for line in rules.splitlines())
        step.note(f"{count} rules: markings above the ceiling, in UTF-8, GB18030 and UTF-16")
        program = shutil.which("suricata") or "suricata"
        version = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stdout.strip()
        step.note(version)


def _name_the_leak(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "带密级标志的文件经 TLS 1.3 泄露 · a marked document leaks over TLS 1.3",
        "an alert within 10 s of each response, naming marking, ceiling, request, serial, person, department, "
        "主管 and 运行",
        vital=True,
    ) as step:
        for encoding in _ENCODINGS:
            _leak(stage, step, CIVIL_SERVANT, encoding)
        # Another person, the same address: the right one is named.
        _leak(stage, step, COLLEAGUE, "utf-8")


def _leak(stage: Stage, step: Step, person: str, encoding: str) -> None:
    page = stage.door().open(f"/budget/marked?encoding={encoding}", stage.player(person).identity)
    request = page.headers.get("x-guosuo-request", "")
    answered = time.monotonic()
    step.check(page.status == 200 and bool(request), f"{person}, {encoding}: {page.status} over {page.protocol}")
    found: list[Alert] = []

    def alerted() -> bool:
        found[:] = [alert for alert in alerts(stage) if alert.get("request_id") == request]
        return bool(found)

    seconds = wait_for(alerted, seconds=10)
    if seconds is None:
        step.check(False, f"an alert for request {request} within 10 s")
        return
    took = f"{time.monotonic() - answered:.2f}"
    summary = str(found[0]["summary"])
    wanted = ["机密★10年", "内部", request, stage.notes[person], NAMES[person], "财政厅", *OFFICERS]
    step.check_row(
        not missing(wanted, summary),
        f"{person}, {encoding}: alert after {took} s: {summary}",
        {"who": person, "encoding": encoding, "after (s)": took, "alert": summary},
    )


def alerts(stage: Stage) -> list[Alert]:
    """Return every alert, as the analyst sees them."""
    with stage.player(ANALYST).client() as client:
        return items(client.get("/api/v1/alert"))


def _stay_silent(stage: Stage, journal: Journal) -> None:
    with journal.step(
        "同一文件在允许其密级的域内 · the same document where its marking is allowed",
        "the inner domain's ceiling is 机密: no alert is raised",
    ) as step:
        before = len(alerts(stage))
        page = stage.door(DOCUMENTS).open("/docs/marked?encoding=utf-8", stage.player(CIVIL_SERVANT).identity)
        step.check(page.status == 200 and "机密" in page.body, f"{CIVIL_SERVANT} read it: {page.status}")
        # As long as the slowest alert above took, and some more.
        time.sleep(3)
        step.check(len(alerts(stage)) == before, f"{len(alerts(stage)) - before} new alerts after 3 s")
