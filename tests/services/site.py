"""A whole site, made and served by the command line as a newcomer would, on loopback and free ports."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.rehearsal.doors import Door
from deploy.rehearsal.player import Player

PROVINCE = Path(__file__).parents[2] / "deploy" / "province"

ADMINISTRATORS = {
    "he-sysadmin": "system-administrator",
    "wei-auditor": "auditor",
    "lu-security": "security-administrator",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Site:
    folder: Path
    port: int
    status_port: int
    store: str = ""
    province: Path = PROVINCE / "beichen.yaml"
    acme: Mapping[str, object] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "site"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def trusted(self) -> Path:
        return self.state / "trust.pem"

    def init(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deploy.cli", "init", "--from", str(self.province)]
        command += [
            "--site",
            str(self.state),
            "--name",
            "北辰省 演练样本",
            "--app",
            str(PROVINCE / "apps/fin-budget.yaml"),
        ]
        command += ["--app", str(PROVINCE / "apps/fin-budget.yaml")]
        command += ["--port", str(self.port), "--status-port", str(self.status_port)]
        if self.store:
            command += ["--store", self.store]
        if self.acme:
            command += ["--acme-port", str(self.acme["port"])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        self._configure_acme()
        return done

    def _configure_acme(self) -> None:
        """Write what an operator writes into the section by hand."""
        path = self.state / "guosuo.toml"
        if self.acme and path.exists():
            lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.acme.items())
            path.write_text(path.read_text().replace(f"[acme]\nport = {self.acme['port']}\n", f"[acme]\n{lines}"))

    def serve(self) -> None:
        with (self.folder / "serve.log").open("ab") as log:
            command = [sys.executable, "-m", "deploy.cli", "serve", "--site", str(self.state)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.await_answer()

    def await_answer(self) -> None:
        deadline = time.monotonic() + 90
        while not self.answers():
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "serve.log").read_text()
            assert time.monotonic() < deadline, (self.folder / "serve.log").read_text()
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            return self.door().open("/livez", None).status == 200
        except OSError:
            return False

    def door(self) -> Door:
        return Door("127.0.0.1", self.port, "localhost", self.trusted)

    def player(self, name: str) -> Player:
        return Player(name, self.folder / "people" / name)

    def bootstrap(self) -> Player:
        boot = Player("bootstrap", self.state / "bootstrap")
        boot.log_in(self.url, self.trusted)
        return boot

    def appoint(self) -> None:
        """Put the three administrators into office, each with a key of their own."""
        boot = self.bootstrap()
        for person, role in ADMINISTRATORS.items():
            player = self.player(person)
            files = ["--csr", str(player.make_request()), "--out", str(player.certificate)]
            boot.act("role", "appoint", person, role, *files)
            player.log_in(self.url, self.trusted)

    def enrol(self, officer: Player, person: str) -> str:
        player = self.player(person)
        files = ["--csr", str(player.make_request()), "--out", str(player.certificate)]
        answer = officer.act("cert", "issue", person, *files)
        player.log_in(self.url, self.trusted)
        return str(answer["serial"])

    def children(self) -> dict[str, int]:
        """Return the process ids of what `serve` started, by module."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if str(self.state) in words and "-m" in words and "deploy.cli" not in words:
                found[words[words.index("-m") + 1]] = int(entry.name)
        return found

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def made(store: str = "", **more: Any) -> Iterator[Site]:
    # A short path: a unix socket's holds 107 octets.
    folder = Path(tempfile.mkdtemp(prefix="gs-site-"))
    site = Site(folder, free_port(), free_port(), store, **more)
    try:
        done = site.init()
        assert done.returncode == 0, done.stderr
        yield site
    finally:
        if site.process is not None and site.process.poll() is None:
            site.process.terminate()
            site.process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def handshake(site: Site, version: ssl.TLSVersion) -> str:
    with site.door().connect(site.door().context(None, version)) as connection:
        return connection.get("/livez").protocol


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
