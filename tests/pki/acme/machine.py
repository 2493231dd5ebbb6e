"""Machines on loopback, as a certificate's holder would have them: files over HTTP, a handshake for tls-alpn-01."""

import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

#: Status, further headers, body, by the path that is asked.
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def web(
    address: str, port: int, answer: Callable[[str], Answer], context: ssl.SSLContext | None = None
) -> Iterator[list[str]]:
    """Serve files; yields the list of what was asked (host and path)."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.headers['Host']}{self.path}")
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((address, port), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(
    name: str, digest: bytes | None, *, critical: bool = True, more: tuple[str, ...] = ()
) -> ssl.SSLContext:
    """A context that shows a certificate for ``name`` with the digest of a key authorization (RFC 8737, 3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [
        x509.IPAddress(ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in (name, *more)
    ]
    subject, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = (
        builder.serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    if digest is not None:
        value = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), b"\x04\x20" + digest)
        builder = builder.add_extension(value, critical=critical)
    made = builder.sign(key, hashes.SHA256())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(made.public_bytes(Encoding.PEM) + private)
        context.load_cert_chain(path)
    return context


@contextmanager
def handshakes(address: str, port: int, context: ssl.SSLContext, protocols: list[str]) -> Iterator[list[str]]:
    """Shake hands and say nothing; yields the names that were asked for."""
    asked: list[str] = []
    context.set_alpn_protocols(protocols)
    context.sni_callback = lambda _socket, name, _context: asked.append(name or "")  # type: ignore[assignment]
    listening = socket.create_server((address, port))
    listening.settimeout(0.05)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()
        listening.close()
