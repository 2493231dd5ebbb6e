"""Suricata as a supervised program: written out, tested, started, asked, reloaded, ended.

It runs with the rights of the sensor (root of a user namespace is enough) and ends with it, also when that is killed.
"""

import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from core.registry.level import Classification
from monitor import command, configuration, rules
from monitor.command import Answer
from monitor.errors import EngineUnavailable, RulesRefused
from monitor.settings import SensorSettings
from monitor.sighting import Plan

_STARTED = "Engine started"

#: Octets that the address of a unix socket has room for (unix(7): 108 with the final NUL).
_LONGEST_SOCKET = 107


class Suricata:
    """One Suricata on the sensor's interfaces."""

    def __init__(self, settings: SensorSettings, *, inherited: int | None = None) -> None:
        """Prepare; starts nothing. ``inherited`` is an open file that Suricata keeps as long as it lives."""
        self._settings = settings
        self._inherited = () if inherited is None else (inherited,)
        self._directory = settings.directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The command socket."""
        return self._directory / configuration.SOCKET

    def prepare(self, plan: Plan) -> None:
        """Write configuration and rules.

        Raises ``BadPlan``, ``RulesRefused`` (and leaves the old rules), or ``EngineUnavailable`` without Suricata.
        """
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET:
            raise EngineUnavailable(f"the path `{self.socket}` is too long for a socket", hint="use a shorter one")
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("classification.config", "reference.config", "threshold.config"):
            (self._directory / name).touch()
        text = configuration.render(self._directory, self._settings.interfaces)
        _replace(self._directory / configuration.CONFIGURATION, text)
        candidate = self._directory / f"{configuration.RULES}.new"
        candidate.write_text(rules.render(boundaries(plan)), encoding="utf-8")
        self._check(candidate)
        # A crash before this leaves the old rules, after it the new ones, which Suricata accepts.
        candidate.replace(self._directory / configuration.RULES)

    def start(self) -> None:
        """Start and wait until packets are captured. Raises ``EngineUnavailable`` with Suricata's last words."""
        for name in (configuration.LOG, configuration.SOCKET):
            (self._directory / name).unlink(missing_ok=True)
        # PR_SET_PDEATHSIG by setpriv(1): no Suricata is left behind by a sensor that was killed.
        line = ["setpriv", "--pdeathsig", "TERM", self._settings.program, "-c", self._file]
        line += ["--af-packet", "--runmode", "workers", "-k", "none", "-l", str(self._directory)]
        with (self._directory / "suricata.out").open("wb") as sink:
            try:
                self._process = subprocess.Popen(
                    line, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, pass_fds=self._inherited
                )
            except OSError as error:
                raise EngineUnavailable(f"suricata cannot be started: {error}", hint="see `guosuo doctor`") from error
        self._await_start()

    def is_running(self) -> bool:
        """Say whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def counters(self) -> tuple[int, int]:
        """Return packets captured and packets dropped since the start. Raises ``EngineUnavailable``."""
        found = command.ask(self.socket, "dump-counters")
        capture = found.get("capture") if isinstance(found, dict) else None
        if not isinstance(capture, dict):
            # No packet counted yet.
            return 0, 0
        return _whole(capture.get("kernel_packets")), _whole(capture.get("kernel_drops"))

    def reload(self) -> None:
        """Load the rules anew. Raises ``RulesRefused`` when some failed: Suricata answers OK all the same."""
        command.ask(self.socket, "ruleset-reload-rules", timeout=60)
        failed = command.ask(self.socket, "ruleset-failed-rules")
        if failed:
            raise RulesRefused(f"suricata reloaded without {len(failed) if isinstance(failed, list) else 'some'} rules")

    def rotate(self, number: int) -> None:
        """Move the EVE file aside and make Suricata open a new one."""
        file = self._directory / configuration.EVE
        file.rename(file.with_name(f"{configuration.EVE}.{number}"))
        # A crash here leaves Suricata writing to the renamed file, which the reader finishes first.
        self.reopen()

    def reopen(self) -> None:
        """Make Suricata open its log files anew. Raises ``EngineUnavailable``."""
        command.ask(self.socket, "reopen-log-files")

    def stop(self, patience: float = 15.0) -> None:
        """End Suricata; kill it when it does not end within ``patience`` seconds."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    @property
    def _file(self) -> str:
        return str(self._directory / configuration.CONFIGURATION)

    def _check(self, candidate: Path) -> None:
        with TemporaryDirectory(dir=self._directory, prefix="check-") as scratch:
            # -T with the file exactly as it will be used; its log goes to a place of its own.
            line = [self._settings.program, "-T", "-c", self._file, "-S", str(candidate), "-l", scratch]
            environment = {**os.environ, "LC_ALL": "C.UTF-8"}
            try:
                done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120, env=environment)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EngineUnavailable(f"suricata cannot test rules: {error}", hint="see `guosuo doctor`") from error
        if done.returncode != 0:
            raise RulesRefused(f"suricata refuses the rules: {self._last_words()}")

    def _await_start(self) -> None:
        deadline = time.monotonic() + self._settings.start_within
        while time.monotonic() < deadline:
            if not self.is_running():
                raise EngineUnavailable(f"suricata ended while starting: {self._last_words()}")
            if _STARTED in self._log() and self.socket.exists():
                return
            time.sleep(0.02)
        self.stop()
        raise EngineUnavailable(f"suricata did not start within {self._settings.start_within:.0f} s")

    def _log(self) -> str:
        path = self._directory / configuration.LOG
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _last_words(self) -> str:
        return " / ".join(line for line in self._log().splitlines() if "Error" in line or "Warning" in line)[-400:]


def boundaries(plan: Plan) -> list[rules.Boundary]:
    """Return the plan as the rules want it."""
    return [
        rules.Boundary(watched.domain, Classification(watched.ceiling), tuple(watched.ranges))
        for watched in plan.domains
    ]


def _whole(value: Answer) -> int:
    return value if isinstance(value, int) else 0


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
