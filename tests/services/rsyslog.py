"""A real rsyslog as an ordinary process: takes messages by TLS, TCP and UDP, and writes what it understood as JSON."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services.certificate import Identity
from tests.services.site import free_port

_CONFIGURATION = """
global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{certificate}"
       defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp")
module(load="imudp")
template(name="understood" type="list") {{
  property(name="jsonmesg")
  constant(value="\\n")
}}
input(type="imtcp" port="{tcp}" address="127.0.0.1")
input(type="imtcp" port="{tls}" address="127.0.0.1" StreamDriver.Name="ossl" StreamDriver.Mode="1"
      StreamDriver.AuthMode="anon")
input(type="imudp" port="{udp}" address="127.0.0.1")
action(type="omfile" file="{folder}/understood.jsonl" template="understood")
"""


@dataclass(frozen=True)
class Receiver:
    folder: Path
    tls: int
    tcp: int
    udp: int

    def understood(self, count: int, *, seconds: float = 10.0) -> list[dict[str, Any]]:
        """Return the messages once there are ``count``; fails when they do not come."""
        path, deadline = self.folder / "understood.jsonl", time.monotonic() + seconds
        while True:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            found = [one for one in map(json.loads, lines) if one["programname"] == "guosuo"]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came: {lines}"
            time.sleep(0.05)


@contextmanager
def running(folder: Path, identity: Identity) -> Iterator[Receiver]:
    """Run a receiver for the time of the block."""
    program = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
    if program is None:
        raise RuntimeError("rsyslog is missing: run deploy/setup.sh")
    receiver = Receiver(folder, free_port(), free_port(), free_port())
    configuration = folder / "rsyslog.conf"
    ports = {"tls": receiver.tls, "tcp": receiver.tcp, "udp": receiver.udp}
    files = {"folder": folder, "certificate": identity.certificate, "key": identity.key}
    configuration.write_text(_CONFIGURATION.format(**ports, **files))
    with (folder / "rsyslog.log").open("wb") as log:
        command = [program, "-n", "-f", str(configuration), "-i", str(folder / "rsyslog.pid")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for port in (receiver.tcp, receiver.tls):
            _await(port, folder / "rsyslog.log")
        yield receiver
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)
