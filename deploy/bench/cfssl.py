"""The peer of issuance: cfssl with a key in memory, over HTTP on this machine, with or without a certificate store.

It signs first and stores afterwards, and has no register, evidence, lint or token: this is what the field does least.
"""

import json
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from core.errors import Unavailable
from deploy.bench.cpu import seconds_of
from deploy.children import Child
from deploy.rehearsal.step import wait_for

#: Connections at once, each with one request after the other.
CLIENTS = 8

_CERTIFICATES = """CREATE TABLE certificates (
    serial_number blob NOT NULL, authority_key_identifier blob NOT NULL, ca_label blob, status blob NOT NULL,
    reason int, expiry timestamp, revoked_at timestamp, pem blob NOT NULL,
    PRIMARY KEY(serial_number, authority_key_identifier))"""

_PROFILE = {"signing": {"default": {"expiry": "8760h", "usages": ["signing", "client auth"]}}}
_SUBJECT = {"CN": "peer CA", "key": {"algo": "ecdsa", "size": 256}, "names": [{"C": "CN", "O": "bench"}]}


class Cfssl:
    """A running server."""

    def __init__(self, port: int, child: Child, csr: str) -> None:
        """Ask for a certificate for ``csr`` again and again."""
        self._port = port
        self._child = child
        body = json.dumps({"certificate_request": csr, "hosts": ["bench.example"]}).encode()
        head = f"POST /api/v1/cfssl/sign HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode("ascii") + body

    @property
    def cpu(self) -> float:
        """Return the seconds of processor time that it has used."""
        return seconds_of(self._child.pid)

    def issue(self, count: int) -> float:
        """Let it issue ``count`` certificates; return how many a second."""
        shares = [count // CLIENTS + (number < count % CLIENTS) for number in range(CLIENTS)]
        begun = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as threads:
            issued = sum(threads.map(self._ask, shares))
        seconds = time.perf_counter() - begun
        if issued != count:
            raise RuntimeError(f"cfssl issued {issued} of {count} certificates: {self._child.last_words()}")
        return count / seconds

    def answers(self) -> bool:
        """Say whether it answers."""
        return self._ask(1) == 1

    def _ask(self, times: int) -> int:
        """Ask so often over one connection; return how often a certificate came back."""
        issued = 0
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
                for _ in range(times):
                    connection.sendall(self._request)
                    issued += _is_issued(connection)
        except OSError:
            # Whoever asked sees by the number that not everything was issued.
            return issued
        return issued


@contextmanager
def running(directory: Path, csr: str, *, stores: bool) -> Iterator[Cfssl]:
    """Run cfssl with its files in ``directory``; with ``stores`` every certificate goes into a SQLite file there."""
    directory.mkdir()
    command = ["cfssl", "genkey", "-initca", "-"]
    try:
        made = subprocess.run(command, input=json.dumps(_SUBJECT), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable("cfssl cannot be run, which issuance is measured beside", hint="run `make setup`") from error
    authority = json.loads(made.stdout)
    files = {"ca.pem": authority["cert"], "ca-key.pem": authority["key"], "config.json": json.dumps(_PROFILE)}
    for name, content in files.items():
        (directory / name).write_text(content, encoding="ascii")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["-address", "127.0.0.1", "-port", str(port), "-loglevel", "3"]
    for option, name in (("-ca", "ca.pem"), ("-ca-key", "ca-key.pem"), ("-config", "config.json")):
        arguments += [option, str(directory / name)]
    child = Child("cfssl", ["cfssl", "serve", *arguments, *_store(directory, stores)], log=directory / "log")
    try:
        made_ = Cfssl(port, child, csr)
        if wait_for(made_.answers, seconds=20) is None:
            raise TimeoutError(f"cfssl does not start: {child.last_words()}")
        yield made_
    finally:
        child.stop()


def _store(directory: Path, stores: bool) -> list[str]:
    if not stores:
        return []
    database = sqlite3.connect(directory / "certificates.db")
    database.execute(_CERTIFICATES)
    database.commit()
    database.close()
    settings = {"driver": "sqlite3", "data_source": str(directory / "certificates.db")}
    (directory / "db.json").write_text(json.dumps(settings), encoding="ascii")
    return ["-db-config", str(directory / "db.json")]


def _is_issued(connection: socket.socket) -> bool:
    """Read one answer to its end; say whether it carries a certificate."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(65_536)
        if not part:
            return False
        answer += part
    head, body = answer.split(b"\r\n\r\n", 1)
    lines = (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    told = next(lines, b"")[15:].strip()
    if not told.isdigit():
        return False
    length = int(told)
    while len(body) < length:
        part = connection.recv(65_536)
        if not part:
            return False
        body += part
    return head.startswith(b"HTTP/1.1 200") and b"BEGIN CERTIFICATE" in body
