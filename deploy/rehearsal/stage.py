"""The stage of a rehearsal: where everything is, who plays, and what runs; all of it inside the laboratory."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.children import Child
from deploy.rehearsal import lab
from deploy.rehearsal.doors import Door
from deploy.rehearsal.player import Player
from deploy.rehearsal.step import Journal, wait_for

SERVICE = "10.90.0.10"
SERVICE_FOR_GATEWAY = "10.90.1.10"
HOST = "trust.mgmt.beichen.example"
GATEWAY = "10.30.0.1"
PORT = 8443
STATUS_PORT = 8480
CONTROL_PORT = 9443
BUDGET = "fin-budget.fin.beichen.example"
DOCUMENTS = "office-docs.office.beichen.example"


@dataclass
class Stage:
    """Folders below ``work``, the journal of steps, the players, and every child that was started."""

    work: Path
    out: Path
    journal: Journal
    players: dict[str, Player] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def site(self) -> Path:
        """The site's state folder."""
        return self.work / "site"

    @property
    def repository(self) -> Path:
        """The backup repository."""
        return self.work / "repository"

    @property
    def recovery_identity(self) -> Path:
        """The recovery identity, outside the site."""
        return self.work / "recovery.age"

    @property
    def trusted(self) -> Path:
        """The root and issuing certificates, as people have them: a copy outside the site."""
        return self.work / "trust.pem"

    @property
    def url(self) -> str:
        """Where people reach the service."""
        return f"https://{SERVICE}:{PORT}"

    @property
    def gateway_url(self) -> str:
        """Where the gateway and the sensor beside it reach the service."""
        return f"https://{SERVICE_FOR_GATEWAY}:{PORT}"

    @property
    def status_url(self) -> str:
        """Where certificate status is served."""
        return f"http://{SERVICE}:{STATUS_PORT}"

    def player(self, name: str, namespace: str = "") -> Player:
        """Return the player with that id, made on first use; a machine stands in its ``namespace``."""
        return self.players.setdefault(name, Player(name, self.work / "people" / name, namespace))

    def door(self, host: str = BUDGET, *, control: bool = False) -> Door:
        """Return a door of the gateway; the control listener is the one with the session cache on."""
        return Door(GATEWAY, CONTROL_PORT if control else PORT, host, self.trusted)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        namespace: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Start a program in a namespace; it ends with the stage."""
        logs = self.work / "log"
        logs.mkdir(parents=True, exist_ok=True)
        child = Child(
            name,
            [*lab.within(namespace), *command],
            log=logs / f"{name}.log",
            environment={**os.environ, **(environment or {})},
        )
        self.children[name] = child
        return child

    def serve(self) -> None:
        """Start the service in its namespace, and wait until it answers."""
        command = [sys.executable, "-m", "deploy.cli", "serve", "--site", str(self.site)]
        child = self.start("serve", command, namespace="centre")
        answered = wait_for(lambda: self._answers() or child.ended() is not None, seconds=60)
        if answered is None or child.ended() is not None:
            raise TimeoutError(f"the service does not answer: {child.last_words()}")

    def _answers(self) -> bool:
        try:
            door = Door(SERVICE, PORT, HOST, self.site / "trust.pem")
            return door.open("/livez", None).status == 200
        except OSError:
            return False

    def processes(self) -> list[int]:
        """Return the processes that serve the site: their command lines name its folder."""
        entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [int(entry.name) for entry in entries if str(self.site) in _command_line(entry)]

    def close(self) -> None:
        """Stop whatever still runs, the last started first."""
        for child in reversed(self.children.values()):
            child.stop(patience=5)


def _command_line(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        # It ended while we looked.
        return []
