"""Kills of a sensor with its Suricata on a wire of its own: what Suricata had written reaches the centre, once."""

import ctypes
import http.client
import os
import signal
import subprocess
import tempfile
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from core.clock import SystemClock
from core.registry.level import Classification
from monitor import agent, configuration
from monitor.sensor import Suricata
from monitor.settings import SensorSettings
from monitor.sighting import Plan
from tests.crash.fuse import Fuse
from tests.crash.nursery import Child, Say, die_with_parent
from tests.crash.sensor_scenarios import FileCentre, plan
from tests.memory import MEMORY
from tests.monitor.marked_application import Documents

#: Points that a sensor passes while it watches, and the one that it passes before.
WATCHING = ("monitor.agent._remove#1", "monitor.sensor.Suricata.rotate#1")
PREPARING = "monitor.sensor.Suricata.prepare#1"

#: Leaks that the one who ends in order sees more.
_MORE, _NEVER = 3, 1_000_000

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def watch(folder: Path, until: int, say: Say) -> None:
    """Be ``guosuo sensor run`` in a network of its own, until ``until`` marked documents were fetched over it."""
    _enter_network()
    stop = threading.Event()
    wire = threading.Thread(target=_fetch, args=(folder, until, stop, say), daemon=True)
    wire.start()
    agent.run(_settings(folder), FileCentre(folder / "centre"), SystemClock(), stop, random=os.urandom)


def kill_while_watching(fuses: list[Fuse]) -> None:
    """Kill one sensor after the other in the same folder, then let one go on; nothing that was in EVE is missing."""
    with tempfile.TemporaryDirectory(prefix="gs-wire-", dir=MEMORY) as name:
        folder = Path(name)
        (folder / "centre").touch()
        seen: set[str] = set()
        for fuse in fuses:
            child = Child(watch, folder, _NEVER, fuse=fuse)
            assert child.wait(60) == -signal.SIGKILL
            seen |= {request for _kind, request in child.said()}
        assert seen, "no leak was seen before any kill"
        child = Child(watch, folder, _MORE)
        assert child.wait(60) == 0
        seen |= {request for _kind, request in child.said()}
        told = FileCentre(folder / "centre").told()
        # What Suricata had not recorded to its end when it was ended names no request.
        requests = [request for request, _id in told if request]
        assert seen <= set(requests)
        # Each under one id, however often it was sent; and what was read to its end is gone.
        assert len(requests) == len(set(requests))
        assert len(list((folder / "sensor").glob(f"{configuration.EVE}.*"))) <= 1


def kill_while_preparing(fuse: Fuse) -> None:
    """The old rules stay, and Suricata accepted them; the next start writes the new ones."""
    with tempfile.TemporaryDirectory(prefix="gs-rules-", dir=MEMORY) as name:
        folder = Path(name)
        sensor, rules = Suricata(_settings(folder)), folder / "sensor" / configuration.RULES
        sensor.prepare(plan(Classification.INTERNAL))
        before = rules.read_bytes()
        assert Child(prepare, folder, plan(Classification.SECRET), fuse=fuse).wait() == -signal.SIGKILL
        assert rules.read_bytes() == before
        sensor.prepare(plan(Classification.SECRET))
        assert rules.read_bytes() != before
        assert not list(rules.parent.glob(f"{configuration.RULES}.*"))


def prepare(folder: Path, wanted: Plan, _say: Say) -> None:
    Suricata(_settings(folder)).prepare(wanted)


def _settings(folder: Path) -> SensorSettings:
    # Moved aside at every beat of the heart.
    return SensorSettings(
        name="sensor-1", directory=folder / "sensor", interfaces=["lo"], heartbeat=0.2, plan_every=60, rotate_at=2_000
    )


def _enter_network() -> None:
    """Leave for a network namespace with nothing but a loopback; as an ordinary user too."""
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "a namespace cannot be made")
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"0 {user} 1")
    (own / "gid_map").write_text(f"0 {group} 1")
    die_with_parent()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _fetch(folder: Path, until: int, stop: threading.Event, say: Say) -> None:
    """Fetch one marked document after the other; say of each when Suricata has written its alert and its record."""
    server = ThreadingHTTPServer(("127.0.0.1", 8000), Documents)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    waiting: set[str] = set()
    said = 0
    while said < until or len(list((folder / "sensor").glob(f"{configuration.EVE}.*"))) > 1:
        request = os.urandom(16).hex()
        waiting.add(request)
        client = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
        client.request("GET", f"/{quote('机密★10年')}", headers={"X-Guosuo-Request": request})
        client.getresponse().read()
        client.close()
        time.sleep(0.05)
        for known in waiting & _recorded(folder):
            say("seen", known)
            waiting.remove(known)
            said += 1
    stop.set()


def _recorded(folder: Path) -> set[str]:
    found = set()
    for path in (folder / "sensor").glob(f"{configuration.EVE}*"):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            # Read to its end and removed.
            continue
        for line in lines:
            if '"event_type":"http"' in line and "X-Guosuo-Request" in line and line.endswith("}"):
                found.add(line.split('"X-Guosuo-Request","value":"')[1][:32])
    return found
