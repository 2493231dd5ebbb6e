"""A client speaks TLS to a service or not at all; what it saves is its own file, whole or absent."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from core import durable
from core.errors import Malformed, NotFound, Rejected, Unavailable
from deploy import login, tls
from deploy.cli.main import app
from deploy.client import ServiceClient
from deploy.login import Login

CONTENT = b"bundle" * 1000


DEEP = b"[" * 200_000

#: What the service was asked for.
asked: list[str] = []


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked.append(self.path)
        self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        content = DEEP if self.path == "/deep" else CONTENT
        self.send_response(200)
        if self.path == "/packed":
            self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        pass


def identity(folder: Path) -> Login:
    """One self-signed certificate that is root, server and client."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    made = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    (folder / "cert").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    durable.write(folder / "key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Login("", str(folder / "cert"), str(folder / "key"), str(folder / "cert"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ServiceClient]:
    own = identity(tmp_path)
    server = HTTPServer(("localhost", 0), Answering)
    context = tls.server_context(certificate=Path(own.certificate), key=Path(own.key), trusted=Path(own.trusted))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"https://localhost:{server.server_port}"
    found = Login(url, own.certificate, own.key, own.trusted)
    login.save(found, tmp_path / "home")
    asked.clear()
    with ServiceClient(found) as made:
        yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8443",
        "http://localhost:8443",
        "https://",
        "https://[::",
        "https://localhost:port",
        "https://who@localhost",
        "ftp://x",
    ],
)
def test_what_is_not_reached_over_tls_is_no_service(tmp_path: Path, url: str) -> None:
    own = identity(tmp_path)
    with pytest.raises(Malformed, match="is not the address of a service") as refused:
        ServiceClient(Login(url, own.certificate, own.key, own.trusted))
    assert "https://" in refused.value.hint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    own = identity(tmp_path)
    Path(own.key).chmod(mode)
    monkeypatch.setenv("GUOSUO_HOME", str(tmp_path / "home"))
    files = ["--cert", own.certificate, "--key", own.key, "--trust", own.trusted]
    done = CliRunner().invoke(app, ["login", "https://localhost:1", *files])
    assert isinstance(done.exception, Rejected)
    assert own.key in done.exception.detail
    assert done.exception.hint == f"chmod 600 {own.key}"
    assert not (tmp_path / "home").exists()


def test_a_file_that_somebody_put_there_does_not_read_along(client: ServiceClient, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "bundle", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    os.symlink(elsewhere, tmp_path / ".bundle.part")
    client.save("/x", {}, out)
    assert (out.read_bytes(), out.is_symlink(), elsewhere.read_bytes()) == (CONTENT, False, b"")
    assert out.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_is_said(client: ServiceClient, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for out in (tmp_path / "nowhere" / "bundle", tmp_path / "folder"):
        with pytest.raises(Unavailable, match="cannot be written"):
            client.save("/x", {}, out)
    assert not (tmp_path / ".folder.part").exists()


def test_what_cannot_be_read_is_no_answer(client: ServiceClient, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        client.post("/packed", {})
    with pytest.raises(Unavailable, match="does not answer"):
        client.save("/packed", {}, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    with pytest.raises(Unavailable, match="is not this service"):
        client.post("/deep", {})


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("command", ["show person", "history person", "sign"])
def test_an_id_is_one_part_of_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whatever it holds: it leads to nothing else, and asks for nothing besides."""
    monkeypatch.setenv("GUOSUO_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["register", *command.split(), "../a?b#c d"])
    assert isinstance(done.exception, NotFound)
    (path,) = asked
    assert path.partition("?")[0].endswith("/..%2Fa%3Fb%23c%20d")
