"""A real signer over a real SoftHSM token, in a folder of its own."""

import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsm.client import SignerClient
from hsm.settings import HsmSettings

_INITIALISE = """
import secrets, sys
from pathlib import Path
from hsm import token
from hsm.settings import HsmSettings
token.initialise(HsmSettings(state=Path(sys.argv[1])), secrets.token_bytes)
"""


def initialise(settings: HsmSettings) -> None:
    """Make the token in a process of its own, so that the tests never load the PKCS#11 module."""
    subprocess.run([sys.executable, "-c", _INITIALISE, str(settings.state)], check=True)


class Running:
    """A signer process that can be killed and started again."""

    def __init__(self, state: Path) -> None:
        self.settings = HsmSettings(state=state)
        self.client = SignerClient(self.settings.socket)
        self.log = state / "signer.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.settings.socket.unlink(missing_ok=True)
        with self.log.open("ab") as sink:
            command = [sys.executable, "-m", "hsm.signerd", str(self.settings.state)]
            self.process = subprocess.Popen(command, stdout=sink, stderr=sink)
        deadline = time.monotonic() + 20
        while not self.settings.socket.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.log.read_text())
            time.sleep(0.01)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@contextmanager
def running() -> Iterator[Running]:
    state = Path(tempfile.mkdtemp(prefix=f"gs-hsm-{secrets.token_hex(2)}-"))
    made = Running(state)
    initialise(made.settings)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(state, ignore_errors=True)
