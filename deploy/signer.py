"""The signer process as a child of ours: started over a clean socket, and waited for until it listens."""

import fcntl
import sys

from core.errors import Conflict
from deploy import wiring
from deploy.children import Child, await_path
from deploy.settings import Settings


def start(settings: Settings) -> Child:
    """Start the signer of a site. Raises ``Conflict`` when it has one already: the site is being served."""
    _clear(settings)
    command = [sys.executable, "-m", "hsm.signerd", str(settings.state)]
    return Child("signer", command, log=settings.logs / "signer.log")


def await_start(settings: Settings, child: Child) -> None:
    """Wait until the signer listens; raises ``Unavailable`` with its last words when it ends or is late."""
    await_path(wiring.token(settings).socket, child)


def _clear(settings: Settings) -> None:
    """Remove the socket that a killed signer left: whoever sees a socket from now on sees the new one's."""
    token = wiring.token(settings)
    token.lock.parent.mkdir(exist_ok=True, mode=0o700)
    with token.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict("this site has a signer already", hint="it is being served: stop it first") from error
        token.socket.unlink(missing_ok=True)
