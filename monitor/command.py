"""A client of Suricata's command socket (Suricata user guide, "Interacting via Unix Socket", protocol 0.2)."""

import json
import socket
from pathlib import Path

from monitor.errors import EngineUnavailable

#: An answer as JSON has it; counters are nested objects of numbers.
Answer = str | int | float | bool | None | list["Answer"] | dict[str, "Answer"]

_LARGEST = 8 * 1024 * 1024


def ask(path: Path, command: str, *, timeout: float = 5.0) -> Answer:
    """Return the ``message`` of Suricata's answer to ``command``.

    Raises ``EngineUnavailable`` when nobody answers within ``timeout`` seconds, or the answer is not OK.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            _exchange(connection, {"version": "0.2"})
            answer = _exchange(connection, {"command": command})
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"suricata does not answer `{command}`: {error}") from error
    if answer.get("return") != "OK":
        raise EngineUnavailable(f"suricata refuses `{command}`: {answer.get('message')}")
    return answer.get("message")


def _exchange(connection: socket.socket, message: dict[str, str]) -> dict[str, Answer]:
    connection.sendall(json.dumps(message).encode() + b"\n")
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part or len(received) > _LARGEST:
            raise ValueError("the answer is cut off")
        received += part
    answer = json.loads(received)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no object")  # noqa: TRY004 - what arrived is bad, not its use
    return answer
