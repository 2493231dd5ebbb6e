"""Run inside namespaces of its own: application, clear hop, the whole sensor, a centre; prints what was seen as JSON.

``python -m tests.monitor.laboratory DIRECTORY``, started by ``test_live.py`` under ``unshare``.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from sqlmodel import Session, SQLModel, col, select

from core.clock import SystemClock
from core.database import Database
from core.registry.models import SecurityDomain
from monitor import agent, finding
from monitor.models import Finding, SensorWindow
from monitor.settings import SensorSettings
from tests.monitor import province
from tests.monitor.centre import DirectCentre

CLOCK = SystemClock()


def shell(*command: str) -> None:
    subprocess.run(command, check=True)


def build() -> None:
    shell("mount", "-t", "tmpfs", "tmpfs", "/run")
    shell("ip", "link", "set", "lo", "up")
    shell("ip", "netns", "add", "app")
    shell("ip", "link", "add", "hop0", "type", "veth", "peer", "name", "app0")
    shell("ip", "link", "set", "app0", "netns", "app")
    shell("ip", "address", "add", "10.20.0.1/24", "dev", "hop0")
    shell("ip", "link", "set", "hop0", "up")
    within = ("nsenter", "--net=/run/netns/app")
    shell(*within, "ip", "address", "add", "10.20.0.10/24", "dev", "app0")
    shell(*within, "ip", "link", "set", "app0", "up")
    subprocess.Popen([*within, sys.executable, "-m", "tests.monitor.marked_application", "10.20.0.10", "8000"])


def until(condition: Callable[[], object], seconds: float) -> float | None:
    """Return how long it took, or nothing when it did not come true."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if condition():
            return round(time.monotonic() - start, 3)
        time.sleep(0.01)
    return None


class Day:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = Database(f"sqlite:///{directory}/store.sqlite3")
        SQLModel.metadata.create_all(self.database.engine)
        province.load(self.database, CLOCK.now())
        self.stop = threading.Event()
        self.seen: dict[str, object] = {}
        self.number = 0
        self.connection = http.client.HTTPConnection("10.20.0.10", 8000, timeout=30)

    def get(self, text: str, person: str = "li-wen", query: str = "") -> str:
        """Ask the application as the gateway does, over one kept connection; return the request's id."""
        self.number += 1
        with self.database.write() as session:
            province.passed(session, self.number, person, CLOCK.now())
        headers = {
            "X-Guosuo-Request": province.request_id(self.number),
            "X-Guosuo-Serial": province.SERIALS[person],
        }
        self.connection.request("GET", f"/{quote(text)}{query}", headers=headers)
        assert self.connection.getresponse().read()
        return province.request_id(self.number)

    def find(self, request: str) -> Finding | None:
        with self.database.read() as session:
            found = session.exec(select(Finding).where(Finding.request_id == request)).first()
            if found is not None:
                session.expunge(found)
            return found

    def leaks(self) -> None:
        asked = [
            ("机密★10年", "li-wen", "?encoding=utf-8"),
            ("机密★10年", "li-wen", "?encoding=gb18030"),
            ("机密★10年", "li-wen", "?encoding=utf-16-le"),
            ("秘密★3年", "sun-yue", "?encoding=utf-16-be"),
        ]
        rows = []
        for text, person, query in asked:
            self.get("清单", "sun-yue")
            request = self.get(text, person, query)
            seconds = until(lambda request=request: self.find(request), 10)
            found = self.find(request)
            rows.append([person, found and found.person, seconds, found and finding.summary(found)])
        self.seen["leaks"] = rows

    def slow_download(self) -> None:
        request = self.get("绝密★30年", "li-wen", "?parts=12")
        seconds = until(lambda: self.find(request), 10)
        found = self.find(request)
        self.seen["slow"] = [seconds, found and found.person, found and found.revision]

    def blindness(self) -> None:
        (child,) = children("Suricata-Main")
        os.kill(child, signal.SIGKILL)
        told = until(lambda: self.windows(open_=True), 30)
        ended = until(lambda: not self.windows(open_=True), 30)
        with self.database.read() as session:
            causes = [(row.cause, row.until is not None) for row in session.exec(select(SensorWindow))]
        request = self.get("机密★5年")
        self.seen["blind"] = {"told": told, "ended": ended, "windows": causes}
        self.seen["after-restart"] = until(lambda: self.find(request), 10)

    def windows(self, *, open_: bool) -> list[SensorWindow]:
        statement = select(SensorWindow).where(col(SensorWindow.until).is_(None)) if open_ else select(SensorWindow)
        with self.database.read() as session:
            return list(session.exec(statement))

    def raised_ceiling(self) -> None:
        policy = (self.directory / "sensor/ready").read_text()
        with self.database.write() as session:
            self._raise(session)
        until(lambda: (self.directory / "sensor/ready").read_text() != policy, 20)
        request = self.get("机密★10年")
        time.sleep(2)
        self.seen["silent-under-raised-ceiling"] = self.find(request) is None

    def first_line(self) -> bytes:
        """Return the beginning of what Suricata writes to now; another one after a rotation."""
        file = self.directory / "sensor/eve.json"
        until(lambda: file.exists() and file.stat().st_size, 10)
        with file.open("rb") as opened:
            return opened.readline()

    def _raise(self, session: Session) -> None:
        row = session.get_one(SecurityDomain, "outer-finance")
        row.ceiling = 3
        session.add(row)

    def play(self) -> None:
        try:
            self.seen["ready"] = until((self.directory / "sensor/ready").exists, 40)
            until(answers, 10)
            first = self.first_line()
            for scene in (self.leaks, self.slow_download, self.blindness, self.raised_ceiling):
                scene()
            self.seen["rotated"] = self.first_line() != first
            self.seen["old-files"] = len(list((self.directory / "sensor").glob("eve.json.*")))
        finally:
            self.stop.set()


def answers() -> bool:
    try:
        probe = http.client.HTTPConnection("10.20.0.10", 8000, timeout=1)
        probe.request("GET", "/x")
        return probe.getresponse().status == 200
    except OSError:
        return False


def children(name: str) -> list[int]:
    """Return the processes of this namespace with that name; one that has ended and only waits to be reaped is none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            said = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if said["Name"] == name and not said["State"].startswith("Z"):
            found.append(int(path.parent.name))
    return found


def main() -> None:
    directory = Path(sys.argv[1])
    build()
    day = Day(directory)
    player = threading.Thread(target=day.play)
    player.start()
    settings = SensorSettings(
        name="sensor-1",
        directory=directory / "sensor",
        interfaces=["hop0"],
        heartbeat=0.5,
        plan_every=1.0,
        # Small: the file is moved aside again and again while all of this goes on.
        rotate_at=20_000,
    )
    agent.run(settings, DirectCentre(day.database, CLOCK), CLOCK, day.stop, random=os.urandom)
    player.join()
    with day.database.read() as session:
        day.seen["findings"] = len(session.exec(select(Finding)).all())
        causes = [
            (row.cause, row.until is None) for row in session.exec(select(SensorWindow).order_by(SensorWindow.since))
        ]
    day.seen["last-window"] = causes[-1]
    day.seen["left"] = children("Suricata-Main")
    print(json.dumps(day.seen, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
