"""Certificate status of a small authority, served over HTTP as the product does, for clients that are none of ours."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI

from core.clock import Clock
from core.database import Database
from core.web import install_error_handlers
from pki import hierarchy, issuer, revocation, status_api
from pki.feed import Feed
from pki.ocsp_http import OcspEndpoint
from pki.request import IssuedCertificate
from tests.pki.conftest import Pki
from tests.services.http import serving


@dataclass
class Served:
    pki: Pki
    url: str
    feed: Feed
    certificates: dict[str, IssuedCertificate]

    @property
    def folder(self) -> Path:
        return self.pki.folder

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")

    def crl(self, address: str, name: str) -> x509.CertificateRevocationList:
        """Fetch a list and leave it in PEM as ``name``."""
        _status, _headers, content = fetch(f"{self.url}{address}")
        loaded = x509.load_der_x509_crl(content)
        (self.folder / f"{name}.pem").write_bytes(loaded.public_bytes(Encoding.PEM))
        return loaded

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=30)


def fetch(url: str, body: bytes | None = None, **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(url, data=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@contextmanager
def served(pki: Pki) -> Iterator[Served]:
    """One good, one revoked and one held certificate; clients judge times by the machine's clock."""
    pki.clock.advance(seconds=(datetime.now(UTC) - pki.clock.now()).total_seconds())
    certificates = {name: pki.issue() for name in ("good", "revoked", "held")}
    pki.publisher.refresh()
    at = pki.clock.now()
    with pki.database.write() as session:
        revocation.revoke(session, certificates["revoked"].serial, reason="superseded", actor="x", at=at)
        end = at + timedelta(days=9)
        revocation.hold(session, certificates["held"].serial, until=end, message="演练样本", actor="x", at=at)
    feed = Feed(database=pki.database, responder=pki.responder, clock=pki.clock)
    app = FastAPI()
    app.state.provided = {Database: pki.database, Clock: pki.clock}
    install_error_handlers(app)
    app.include_router(status_api.router)
    with serving(OcspEndpoint(app, feed)) as url:
        made = Served(pki, url, feed, certificates)
        _leave_files(made)
        made.crl("/crl/issuing/0.crl", "base")
        made.crl("/crl/root/0.crl", "root-list")
        pki.publisher.refresh()
        yield made


def _leave_files(made: Served) -> None:
    (made.folder / "trust.pem").write_text(hierarchy.pem_chain(made.pki.database))
    with made.pki.database.read() as session:
        for name in ("issuing", "root", "ocsp"):
            loaded = x509.load_der_x509_certificate(issuer.get(session, name).der)
            (made.folder / f"{name}.pem").write_bytes(loaded.public_bytes(Encoding.PEM))
    for name, issued in made.certificates.items():
        loaded = x509.load_der_x509_certificate(issued.der)
        (made.folder / f"{name}.pem").write_bytes(loaded.public_bytes(Encoding.PEM))
