"""A whole gateway on loopback: nginx as `guosuo gateway config` sets it up, the service it asks, two applications."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import uvicorn

from core.identity import SubjectKind
from deploy import login, tls
from deploy.login import Login
from deploy.peer import CertificateProtocol
from deploy.rehearsal.doors import Door, Identity
from pki import issuer
from pki.issuer import ISSUING, ROOT
from tests.authz import house as houses
from tests.authz.house import BUDGET, DOCUMENTS, House
from tests.pki.conftest import Pki


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Echo(ThreadingHTTPServer):
    """An application that remembers exactly what reached it, and answers with what it was told to."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, list[tuple[str, str]]]] = []
        self.extra: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), _EchoHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        assert isinstance(self.server, Echo)
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.seen.append((self.command, self.path, self.headers.items()))
        self.send_response(200)
        for name, value in self.server.extra:
            self.send_header(name, value)
        self.send_header("Content-Length", "4")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"echo")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # the standard library's names

    def log_message(self, *_arguments: object) -> None:
        pass


class Service:
    """The decision service: the product's router and TLS, in a thread."""

    def __init__(self, house: House, *, certificate: Path, key: Path, trusted: Path, port: int) -> None:
        def context(_config: uvicorn.Config, _default: object) -> "tls.ssl.SSLContext":
            return tls.server_context(certificate=certificate, key=key, trusted=trusted)

        self._server = uvicorn.Server(
            uvicorn.Config(
                house.app(),
                host="127.0.0.1",
                port=port,
                http=CertificateProtocol,
                ssl_context_factory=context,
                log_level="error",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)


def until(condition: object, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]  # a callable
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


@dataclass
class Laboratory:
    house: House
    folder: Path
    echo: Echo
    sample: int
    port: int
    control_port: int
    service_port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    service: Service | None = None

    @classmethod
    @contextmanager
    def running(cls, pki: Pki, folder: Path) -> Iterator[Self]:
        echo, sample = Echo(), free_port()
        upstreams = {"fin_budget": f"127.0.0.1:{sample}", "office_docs": echo.place}
        house = houses.build(pki, houses.applications(**upstreams))
        made = cls(house, folder, echo, sample, free_port(), free_port(), free_port())
        for name, text in houses.texts(**upstreams).items():
            (folder / f"{name}.yaml").write_text(text, "utf-8")
        try:
            made.start()
            yield made
        finally:
            made.stop()

    @property
    def people(self) -> Path:
        return self.folder / "people"

    @property
    def trusted(self) -> Path:
        return self.folder / "trust.pem"

    @property
    def gateway(self) -> Path:
        return self.folder / "gateway"

    def start(self) -> None:
        self._trust()
        names = {"localhost": ("trust", SubjectKind.SERVICE), BUDGET: ("fin-budget-app", SubjectKind.APPLICATION)}
        names[DOCUMENTS] = ("office-docs-app", SubjectKind.APPLICATION)
        for host, (device, kind) in names.items():
            addresses = ("127.0.0.1",) if host == "localhost" else ()
            made = self.house.certify(device, kind, hosts=(host,), ip_addresses=addresses)
            houses.write(self.people, device, made)
        certificate, key = houses.write(self.people, "gw-1", self.house.certify("gw-1", SubjectKind.GATEWAY))
        url = f"https://localhost:{self.service_port}"
        login.save(Login(url, str(certificate), str(key), str(self.trusted)), self.people / "home")
        self.serve()
        self.processes.append(self.start_sample())
        done = self.configure()
        assert done.returncode == 0, done.stderr
        self._nginx()
        until(lambda: _connects(self.port))

    def start_sample(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "deploy.sample.application", "--bind", f"127.0.0.1:{self.sample}"]
        started = subprocess.Popen(command)
        until(lambda: _connects(self.sample))
        return started

    def serve(self) -> None:
        self.service = Service(
            self.house,
            certificate=self.people / "trust.pem",
            key=self.people / "trust.key",
            trusted=self.trusted,
            port=self.service_port,
        )

    def configure(self, *more: str, budget: str = "", listen: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
        """Run the command that an operator runs."""
        shown = budget or f"{self.people}/fin-budget-app.pem,{self.people}/fin-budget-app.key"
        arguments = ["--directory", str(self.gateway), "--listen", listen, "--port", str(self.port)]
        arguments += ["--service", f"127.0.0.1:{self.service_port}", "--control-port", str(self.control_port)]
        arguments += ["--app", str(self.folder / "fin-budget.yaml"), "--certificate", f"{BUDGET}={shown}"]
        other = f"{self.people}/office-docs-app.pem,{self.people}/office-docs-app.key"
        arguments += ["--app", str(self.folder / "office-docs.yaml"), "--certificate", f"{DOCUMENTS}={other}", *more]
        return subprocess.run(
            [*namespace(), sys.executable, "-m", "deploy.cli", "gateway", "config", *arguments],
            env={**os.environ, "GUOSUO_HOME": str(self.people / "home"), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def person(self, identifier: str, **more: object) -> tuple[Identity, str]:
        """Certify a person; return what the browser shows, and the serial number."""
        made = self.house.certify(identifier, SubjectKind.PERSON, **more)
        certificate, key = houses.write(self.people, f"{identifier}-{made[0].serial[:8]}", made)
        return Identity(certificate, key), str(made[0].serial)

    def door(self, host: str = BUDGET, *, control: bool = False) -> Door:
        return Door("127.0.0.1", self.control_port if control else self.port, host, self.trusted)

    def without_service(self) -> None:
        assert self.service is not None
        self.service.stop()
        self.service = None

    def raw(self, content: bytes, identity: Identity | None = None, host: str = BUDGET) -> bytes:
        """Send octets over a fresh connection as they are, and return everything that comes back."""
        with self.door(host).connect(self.door(host).context(identity)) as connection:
            secured, answer = connection._socket, b""
            secured.sendall(content)
            secured.settimeout(10)
            try:
                while piece := secured.recv(65536):
                    answer += piece
                    # nginx may keep the connection a while, to let us finish what it does not read.
                    secured.settimeout(0.5)
            except TimeoutError:
                assert answer
            return answer

    def renew(self) -> None:
        """Give the gateway a new certificate, as its operator would: issue, configure, reload."""
        houses.write(self.people, "gw-1", self.house.certify("gw-1", SubjectKind.GATEWAY))
        done = self.configure()
        assert done.returncode == 0, done.stderr
        self.processes[-1].send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self.service is not None:
            self.service.stop()
        for process in reversed(self.processes):
            process.terminate()
            process.wait(10)
        self.echo.shutdown()
        self.echo.server_close()

    def _trust(self) -> None:
        with self.house.database.read() as session:
            loaded = [issuer.load(session, name, self.house.signer.client) for name in (ROOT, ISSUING)]
        encoding = houses.serialization.Encoding.PEM
        self.trusted.write_bytes(b"".join(one.certificate.public_bytes(encoding) for one in loaded))

    def _nginx(self) -> None:
        log = self.gateway / "log" / "error.log"
        command = [*namespace(), "nginx", "-e", str(log), "-c", str(self.gateway / "nginx.conf")]
        self.processes.append(subprocess.Popen(command))


def namespace() -> list[str]:
    # As root, in a user namespace, as the rehearsal does: one way for everybody.
    return ["unshare", "--user", "--map-root-user"] if os.geteuid() == 0 else []


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
