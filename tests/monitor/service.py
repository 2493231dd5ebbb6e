"""The centre as a service: the border's interface over mutual TLS 1.3, with real certificates, policies and tables.

Only what a sensor and an analyst need of it: monitor's and identity's routers, enforced by the real decision point.
"""

import secrets
import socket
import ssl
import threading
import time
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import FastAPI

from authz import policy
from authz.decision import PolicyDecisionPoint
from core import durable
from core.access import Authenticator, DecisionPoint
from core.approval.acts import Acts
from core.clock import Clock, SystemClock
from core.database import Database
from core.identity import PersonId, SubjectKind
from core.ledger.group import GroupCommit
from core.registry import role
from core.registry.credential import CredentialStanding
from core.signing import GoodStanding, Origin
from core.web import BodyLimit, install_error_handlers
from deploy import identity, tls
from deploy.login import Login, save
from deploy.peer import CertificateProtocol
from hsm.client import SignerClient
from monitor import api
from pki import hierarchy, issuer
from pki.authentication import CertificateAuthenticator
from pki.issuance import CertificateAuthority
from pki.request import IssuanceRequest, IssuedCertificate
from pki.settings import PkiSettings

PKI = PkiSettings(organisation="北辰省 演练样本", public_url="http://localhost:8480")
ANALYST = "qian-analyst"


@cache
def _policies() -> policy.Policies:
    return policy.load()


def application(database: Database, clock: Clock) -> FastAPI:
    """Return the service's application over a filled store."""
    app = FastAPI()
    app.state.provided = {
        Database: database,
        Clock: clock,
        Authenticator: CertificateAuthenticator(database=database, clock=clock),
        DecisionPoint: PolicyDecisionPoint(database=database, clock=clock, policies=_policies()),
        Origin: Origin("evidence.beichen.example/sample"),
        GoodStanding: CredentialStanding(),
        Acts: Acts((), ()),
    }
    app.include_router(api.router)
    app.include_router(identity.router)
    install_error_handlers(app)
    app.add_middleware(BodyLimit)
    return app


class Site:
    """A province with a certification authority; hands out certificates and logs their holders in."""

    def __init__(self, database: Database, keys: SignerClient, folder: Path) -> None:
        """Go on with an authority that is in the store; ``folder`` holds the certificates handed out so far."""
        self.database = database
        self._authority = CertificateAuthority(
            database=database,
            group=GroupCommit(database),
            keys=keys,
            clock=SystemClock(),
            random=secrets.token_bytes,
            settings=PKI,
        )
        self.folder = folder

    def issue(self, holder: str, kind: SubjectKind, *, profile: str = "", address: str = "") -> IssuedCertificate:
        """Issue a certificate; certificate (with chain), key and root go into the folder as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.USER_ID, holder)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        request = IssuanceRequest(
            csr=csr.public_bytes(serialization.Encoding.PEM),
            profile=profile or kind.value,
            holder_kind=kind,
            holder=holder,
            **({"dns_names": ("localhost",), "ip_addresses": (address,)} if address else {}),  # type: ignore[arg-type]
        )
        issued = self._authority.issue(request, actor="test")
        (self.folder / f"{holder}.pem").write_text(issued.chain_pem)
        durable.write(
            self.folder / f"{holder}.key",
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        return issued

    def login(self, holder: str, url: str, home: Path) -> None:
        """Log ``holder`` in at ``home``, as ``guosuo login`` does."""
        files = [str(self.folder / name) for name in (f"{holder}.pem", f"{holder}.key", "root.pem")]
        save(Login(url, *files), home)


class Service:
    """The application on a port of its own over mutual TLS; can be stopped and started again at the same place."""

    def __init__(self, app: FastAPI, folder: Path, *, address: str = "127.0.0.1") -> None:
        self._app = app
        self._folder = folder
        self._address = address
        self._port = _free_port(address)
        self.url = f"https://{ip_address(address)}:{self._port}"
        self._server: uvicorn.Server | None = None

    def start(self) -> None:
        folder = self._folder

        def context(_config: uvicorn.Config, _default: object) -> ssl.SSLContext:
            return tls.server_context(
                certificate=folder / "trust.pem", key=folder / "trust.key", trusted=folder / "root.pem"
            )

        config = uvicorn.Config(
            self._app,
            host=self._address,
            port=self._port,
            http=CertificateProtocol,
            ssl_context_factory=context,
            log_level="error",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(20)
            self._server = None


def establish(database: Database, keys: SignerClient, folder: Path, *, address: str = "127.0.0.1") -> Site:
    """Make an authority in the store, and certificates of the service, the sensor and the analyst in ``folder``."""
    clock = SystemClock()
    hierarchy.establish(database, keys, clock, secrets.token_bytes, PKI)
    site = Site(database, keys, folder)
    with database.read() as session:
        root = x509.load_der_x509_certificate(issuer.get(session, issuer.ROOT).der)
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    with database.write() as session:
        role.assign(session, person=PersonId(ANALYST), domain="site", role="analyst", giver="test", at=clock.now())
    site.issue("trust", SubjectKind.SERVICE, address=address)
    site.issue("sensor-1", SubjectKind.SENSOR)
    site.issue(ANALYST, SubjectKind.PERSON)
    return site


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
