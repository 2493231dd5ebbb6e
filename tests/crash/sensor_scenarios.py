"""Kills of the sensor between its reader and the centre: nothing is lost, and nothing is told twice as two things."""

import base64
import json
import os
import tempfile
from contextlib import closing
from pathlib import Path

from core.registry.level import Classification
from monitor import rules
from monitor.courier import Courier
from monitor.join import PATIENCE, Joiner
from monitor.reader import Reader
from monitor.rules import Boundary
from monitor.sighting import Blind, Leak, Plan, Watched
from monitor.spool import Spool
from tests.crash.fuse import Fuse
from tests.crash.nursery import Child, Say
from tests.memory import MEMORY

LEAKS = 6
DOCUMENT = "机密★10年\n演练样本\n北辰省财政厅 预算草案（样本）\n"


class FileCentre:
    """Takes every report into a file: what it has said yes to is there after any kill."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def report(self, sightings: list[Leak | Blind]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            for one in sightings:
                if isinstance(one, Leak):
                    file.write(f"{one.request_id} {one.id}\n")

    def plan(self) -> Plan:
        return plan(Classification.INTERNAL)

    def told(self) -> set[tuple[str, ...]]:
        """Return each leak that was told, by its request and its id."""
        return {tuple(line.split(" ")) for line in self._path.read_text(encoding="utf-8").splitlines()}


def plan(ceiling: Classification) -> Plan:
    """One domain, on this machine."""
    boundary = Boundary("outer-finance", ceiling, ("127.0.0.0/8",))
    watched = Watched(domain=boundary.domain, ceiling=int(ceiling), ranges=list(boundary.ranges))
    return Plan(policy=rules.policy_version([boundary]), domains=[watched])


def write_eve(path: Path) -> None:
    """What Suricata writes for ``LEAKS`` marked answers: an alert, then its transaction."""
    lines = [line for number in range(1, LEAKS + 1) for line in (_alert(number), _http(number))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _record(number: int, kind: str) -> dict[str, object]:
    return {
        "timestamp": f"2026-11-20T08:00:{number:02}.000000+0000",
        "event_type": kind,
        "flow_id": 1000 + number,
        "tx_id": 0,
        "src_ip": "10.20.0.10",
        "src_port": 8000,
        "dest_ip": "10.20.0.1",
        "dest_port": 40000 + number,
        "proto": "TCP",
    }


def _alert(number: int) -> dict[str, object]:
    metadata = {"owner": ["guosuo"], "level": ["secret"], "ceiling": ["internal"], "domain": ["outer-finance"]}
    body = base64.b64encode(DOCUMENT.encode()).decode()
    return {
        **_record(number, "alert"),
        "direction": "to_client",
        "alert": {"signature_id": 9_000_001, "signature": "marking", "metadata": metadata},
        "http": {"hostname": "fin.example", "url": f"/doc/{number}", "http_response_body": body},
    }


def _http(number: int) -> dict[str, object]:
    headers = [
        {"name": "X-Guosuo-Request", "value": f"{number:032x}"},
        {"name": "X-Guosuo-Serial", "value": f"{number:040x}"},
    ]
    http = {"hostname": "fin.example", "url": f"/doc/{number}", "request_headers": headers}
    return {**_record(number, "http"), "http": http}


def sense(folder: Path, _say: Say) -> None:
    """Read, join, release and deliver, a little at a time, until nothing is left."""
    with closing(Spool(folder / "spool.sqlite3")) as spool:
        joiner = Joiner(name="sensor-1", spool=spool)
        courier = Courier(spool=spool, centre=FileCentre(folder / "centre"), heartbeat=1e9)
        now = 1000.0
        with Reader(folder / "eve.json", bookmark=spool.bookmark(), random=os.urandom, chunk=1500) as reader:
            while (batch := reader.read()).bookmark:
                joiner.take(batch, now=now)
                now += PATIENCE
                joiner.release(now=now)
                courier.deliver()
        joiner.release(now=now + PATIENCE)
        while spool.unsent(1):
            courier.deliver()


def kill_while_sensing(fuse: Fuse) -> int:
    """Kill once, let another go on to the end; return the status of the killed one."""
    with tempfile.TemporaryDirectory(prefix="gs-sensor-", dir=MEMORY) as name:
        folder = Path(name)
        write_eve(folder / "eve.json")
        (folder / "centre").touch()
        status = Child(sense, folder, fuse=fuse).wait()
        assert Child(sense, folder).wait() == 0
        told = FileCentre(folder / "centre").told()
        # Each leak under one id, however often it was sent.
        assert sorted(request for request, _id in told) == [f"{number:032x}" for number in range(1, LEAKS + 1)]
        return status


#: By point: how often it is passed while sensing.
SENSOR_SCENARIOS = {
    "monitor.courier.Courier.deliver#1": 2,
    "monitor.join.Joiner.take#1": 3,
    "monitor.join.Joiner.release#1": 2,
}
