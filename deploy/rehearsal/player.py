"""A person of the rehearsal: acts only through the command line, with a home folder and a certificate of their own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from core import errors
from core.ledger.entry import JsonValue
from deploy import login
from deploy.client import ServiceClient
from deploy.rehearsal.doors import Identity


@dataclass(frozen=True, slots=True)
class Player:
    """Who acts: ``name`` is the id in the register, ``home`` holds key, certificate and login."""

    name: str
    home: Path

    @property
    def key(self) -> Path:
        """The private key file."""
        return self.home / f"{self.name}.key"

    @property
    def certificate(self) -> Path:
        """The certificate with its chain."""
        return self.home / f"{self.name}.pem"

    @property
    def request(self) -> Path:
        """The certification request."""
        return self.home / f"{self.name}.csr"

    @property
    def identity(self) -> Identity:
        """What the person's browser shows."""
        return Identity(self.certificate, self.key)

    def make_request(self) -> Path:
        """Make key and request with openssl, as anybody would."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        names = ["-subj", f"/UID={self.name}", "-keyout", str(self.key), "-out", str(self.request)]
        subprocess.run([*command, *names], check=True, capture_output=True)
        return self.request

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command and return what it printed, whatever its exit status."""
        environment = {**os.environ, "GUOSUO_HOME": str(self.home), "COLUMNS": "200"}
        command = [sys.executable, "-m", "deploy.cli", *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120
        )

    def act(self, *arguments: str) -> dict[str, JsonValue]:
        """Run one command with ``--json`` and return its object; raises ``Rejected`` with its complaint."""
        done = self.run(*arguments, "--json")
        if done.returncode != 0:
            raise errors.Rejected(f"`guosuo {' '.join(arguments[:2])}` as {self.name}: {complaint(done)}")
        content = json.loads(done.stdout)
        return content if isinstance(content, dict) else {"items": content}

    def log_in(self, url: str, trusted: Path) -> dict[str, JsonValue]:
        """Log in with the own certificate."""
        files = ["--cert", str(self.certificate), "--key", str(self.key), "--trust", str(trusted)]
        return self.act("login", url, *files)

    def client(self) -> ServiceClient:
        """Return a client for what is asked many times a second."""
        return ServiceClient(login.load(self.home))


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a refused command printed."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[0].removeprefix("refused: ") if lines else f"exit {done.returncode} without a word"
