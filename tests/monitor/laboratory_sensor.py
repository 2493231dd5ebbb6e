"""Run inside namespaces of its own: ``guosuo sensor run`` as a program, its centre a service over mutual TLS.

``python -m tests.monitor.laboratory_sensor DIRECTORY``: DIRECTORY holds a store (``store.sqlite3``) with an authority
and ``certificates``, as ``test_live.py`` makes them. Prints what was seen as JSON.
"""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from sqlmodel import select

from core.clock import SystemClock
from core.database import Database
from deploy.login import Login, save
from monitor.models import Finding, SensorWindow
from tests.monitor import laboratory, province
from tests.monitor.laboratory import children, until
from tests.monitor.service import Service, application

LEAKS = 30
CLOCK = SystemClock()


class Evening:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = Database(f"sqlite:///{directory}/store.sqlite3")
        self.service = Service(application(self.database, CLOCK), directory / "certificates")
        self.seen: dict[str, object] = {}
        self.number = 0
        self.connection = http.client.HTTPConnection("10.20.0.10", 8000, timeout=30)
        names = ("sensor-1.pem", "sensor-1.key", "root.pem")
        save(Login(self.service.url, *(str(directory / "certificates" / name) for name in names)), directory / "home")

    # The parts -------------------------------------------------------------------------------------------------------

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "deploy.cli", "sensor", "run"]
        command += ["--interface", "hop0", "--directory", str(self.directory / "sensor")]
        environment = {**os.environ, "GUOSUO_HOME": str(self.directory / "home")}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def is_ready(self) -> bool:
        return (self.directory / "sensor/ready").exists()

    def leak(self, text: str = "机密★10年", encoding: str = "utf-8") -> str:
        self.number += 1
        with self.database.write() as session:
            province.passed(session, self.number, "li-wen", CLOCK.now())
        headers = {
            "X-Guosuo-Request": province.request_id(self.number),
            "X-Guosuo-Serial": province.SERIALS["li-wen"],
        }
        self.connection.request("GET", f"/{quote(text)}?encoding={encoding}", headers=headers)
        assert self.connection.getresponse().read()
        return province.request_id(self.number)

    def find(self, request: str) -> tuple[str, str] | None:
        with self.database.read() as session:
            found = session.exec(select(Finding).where(Finding.request_id == request)).first()
            return (found.person, found.marking) if found else None

    def windows(self) -> list[tuple[str, bool]]:
        with self.database.read() as session:
            rows = session.exec(select(SensorWindow).order_by(SensorWindow.since)).all()  # type: ignore[arg-type]
            return [(row.cause, row.until is not None) for row in rows]

    # The scenes ------------------------------------------------------------------------------------------------------

    def latency(self) -> None:
        seconds, people = [], set()
        for number in range(LEAKS):
            request = self.leak(encoding=("utf-8", "gb18030", "utf-16-le")[number % 3])
            taken = until(lambda request=request: self.find(request), 10)
            seconds.append(taken if taken is not None else 99.0)
            people.add(self.find(request))
        self.seen["median"], self.seen["slowest"] = statistics.median(seconds), max(seconds)
        self.seen["people"] = sorted(map(str, people))

    def killed(self, sensor: subprocess.Popen[str]) -> subprocess.Popen[str]:
        assert children("Suricata-Main")
        sensor.kill()
        sensor.communicate()
        self.seen["engine-gone"] = until(lambda: not children("Suricata-Main"), 15)
        fresh = self.start()
        self.seen["ready-again"] = until(self.is_ready, 40)
        self.seen["told-after-kill"] = until(lambda: ("sensor-stopped", True) in self.windows(), 10)
        request = self.leak()
        self.seen["seen-after-kill"] = until(lambda: self.find(request), 10)
        return fresh

    def centre_away(self) -> None:
        self.service.stop()
        request = self.leak()
        time.sleep(1)
        assert self.find(request) is None
        self.service.start()
        self.seen["delivered-later"] = until(lambda: self.find(request), 20)

    def end(self, sensor: subprocess.Popen[str], number: int) -> list[object]:
        begun = time.monotonic()
        sensor.send_signal(number)
        _out, said = sensor.communicate(timeout=30)
        return [sensor.returncode, said, time.monotonic() - begun < 15, self.is_ready(), children("Suricata-Main")]

    def start_without_centre(self) -> subprocess.Popen[str]:
        self.service.stop()
        sensor = self.start()
        self.seen["ready-without-centre"] = until(self.is_ready, 40)
        request = self.leak()
        time.sleep(0.5)
        self.service.start()
        self.seen["delivered-in-the-end"] = until(lambda: self.find(request), 20)
        return sensor

    def play(self) -> None:
        self.service.start()
        sensor = self.start()
        self.seen["ready"] = until(self.is_ready, 40)
        until(laboratory.answers, 10)
        self.latency()
        self.centre_away()
        sensor = self.killed(sensor)
        self.seen["ended-by-sigterm"] = self.end(sensor, signal.SIGTERM)
        self.seen["last-window"] = self.windows()[-1]
        sensor = self.start_without_centre()
        self.seen["ended-by-sigint"] = self.end(sensor, signal.SIGINT)
        with self.database.read() as session:
            self.seen["findings"] = len(session.exec(select(Finding)).all())
        self.service.stop()


def main() -> None:
    laboratory.build()
    evening = Evening(Path(sys.argv[1]))
    evening.play()
    print(json.dumps(evening.seen, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
