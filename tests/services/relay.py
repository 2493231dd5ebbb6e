"""Stands between clients and the signer, remembers every request to sign, and can lose a request or its answer.

What was signed is known from outside of every process that may be killed: the relay belongs to the test.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hsm import protocol


class Loss(StrEnum):
    """What is lost: the request (not applied), or the answer (applied)."""

    REQUEST = "not applied"
    ANSWER = "applied"


@dataclass(frozen=True)
class Signing:
    """A request to sign that reached the signer."""

    label: str
    data: bytes


class SignerRelay:
    """``signings`` holds every request to sign that was passed on, answered or not."""

    def __init__(self, upstream: Path, path: Path) -> None:
        self.path = path
        self.signings: list[Signing] = []
        self.before: Callable[[Signing], None] | None = None
        self._upstream = upstream
        self._losing: tuple[str, Loss] | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._connections: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, label: str, loss: Loss) -> None:
        """From now on lose every request to sign with ``label``, or its answer."""
        self._losing = (label, loss)

    def heal(self) -> None:
        """Lose nothing any more."""
        self._losing = None

    def close(self) -> None:
        """Stop, and cut every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        self._connections.add(client)
        with client, contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as signer:
            signer.connect(str(self._upstream))
            while (content := protocol.receive(client)) is not None:
                answer = self._pass_on(content, signer)
                if answer is None:
                    break
                _send(client, answer)
        self._connections.discard(client)

    def _pass_on(self, content: bytes, signer: socket.socket) -> bytes | None:
        request = protocol.parse_request(content)
        loss = None
        if isinstance(request, protocol.Sign):
            signings = [Signing(request.label, one) for one in request.data]
            if self._losing is not None and self._losing[0] == request.label:
                loss = self._losing[1]
            if loss is Loss.REQUEST:
                return None
            for signing in signings:
                if self.before is not None:
                    self.before(signing)
                self.signings.append(signing)
        _send(signer, content)
        answer = protocol.receive(signer)
        return None if loss is Loss.ANSWER else answer


def _send(connection: socket.socket, content: bytes) -> None:
    connection.sendall(len(content).to_bytes(4, "big") + content)
