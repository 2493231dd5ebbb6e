"""A province, its authorities, policies and two applications, put together as the service puts them together."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from sqlmodel import Session, select

from authz import appfile, application, policy
from authz.api import router
from authz.application import Application
from authz.decision import PolicyDecisionPoint
from authz.gateway import Gateway
from core import durable
from core.access import Authenticator, DecisionPoint
from core.clock import Clock
from core.database import Database
from core.identity import DomainId, OrganisationId, Principal, Serial, SubjectKind
from core.ledger.group import GroupCommit
from core.ledger.models import EvidenceRow
from core.registry import role
from core.web import install_error_handlers
from pki.authentication import CertificateAuthenticator
from pki.crl import CrlPublisher
from pki.desk import RequestDesk
from pki.issuance import CertificateAuthority
from pki.ocsp import OcspResponder
from pki.request import IssuanceRequest, IssuedCertificate
from tests.clock import ManualClock
from tests.people import PROVINCE
from tests.pki.conftest import SETTINGS, Pki, csr
from tests.services.softhsm import Running

APPS = PROVINCE.parent / "apps"
BUDGET, DOCUMENTS = "fin-budget.fin.beichen.example", "office-docs.office.beichen.example"


@dataclass
class House:
    pki: Pki
    decisions: PolicyDecisionPoint
    gateway: Gateway

    @property
    def database(self) -> Database:
        return self.pki.database

    @property
    def clock(self) -> ManualClock:
        return self.pki.clock

    @property
    def signer(self) -> Running:
        return self.pki.signer

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.state.provided = {
            Clock: self.clock,
            Database: self.database,
            Authenticator: self.pki.authenticator,
            DecisionPoint: self.decisions,
            PolicyDecisionPoint: self.decisions,
            Gateway: self.gateway,
        }
        app.include_router(router)
        install_error_handlers(app)
        return app

    def appoint(self, person: str = "lu-security", office: str = "security-administrator") -> None:
        with self.database.write() as session:
            role.appoint(session, person=person, role=office, giver="bootstrap", at=self.clock.now())

    def certify(
        self, holder: str, kind: SubjectKind, *, hosts: tuple[str, ...] = (), **more: object
    ) -> tuple[IssuedCertificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        request = IssuanceRequest(
            csr=csr(key, holder),
            profile=kind.value,
            holder_kind=kind,
            holder=holder,
            dns_names=hosts,
            **more,  # type: ignore[arg-type]  # the tests name real fields
        )
        return self.pki.authority.issue(request, actor="zhao-ra"), key

    def principal(self, issued: IssuedCertificate) -> Principal:
        return self.pki.authenticator.authenticate(issued.der)

    def records(self, kind: str) -> list[EvidenceRow]:
        with self.database.read() as session:
            return list(session.exec(select(EvidenceRow).where(EvidenceRow.type == kind).order_by(EvidenceRow.row)))


def applications(**upstreams: str) -> list[Application]:
    """Return the sample applications, their upstream replaced where the tests run one of their own."""
    return [appfile.parse_application(text) for text in texts(**upstreams).values()]


def texts(**upstreams: str) -> dict[str, str]:
    found = {}
    for path in sorted(APPS.glob("*.yaml")):
        lines = path.read_text("utf-8").splitlines()
        place = upstreams.get(path.stem.replace("-", "_"))
        if place:
            lines = [f"upstream: http://{place}" if line.startswith("upstream:") else line for line in lines]
        found[path.stem] = "\n".join(lines) + "\n"
    return found


def reopen(database: Database, clock: ManualClock, signer: Running, folder: Path) -> Pki:
    """Return the authorities of a store that has them already."""
    parts = {"database": database, "keys": signer.client, "clock": clock}
    authority = CertificateAuthority(
        **parts, group=GroupCommit(database), random=secrets.token_bytes, settings=SETTINGS
    )
    return Pki(
        database,
        clock,
        signer,
        authority,
        CrlPublisher(**parts, settings=SETTINGS),
        OcspResponder(**parts),
        CertificateAuthenticator(database=database, clock=clock),
        folder,
        RequestDesk(database=database, authority=authority, clock=clock, random=secrets.token_bytes),
    )


# The policies are the same in every test, and take a moment to compile.
POLICIES = policy.load()


def build(pki: Pki, apps: list[Application] | None = None) -> House:
    known = apps or applications()
    actions = {one.domain: POLICIES.actions(one.domain) for one in known}
    decisions = PolicyDecisionPoint(
        database=pki.database,
        clock=pki.clock,
        policies=POLICIES,
        catalogue=application.catalogue(known, actions),
    )
    gateway = Gateway(clock=pki.clock, authenticator=pki.authenticator, decisions=decisions)
    return House(pki, decisions, gateway)


def escaped(issued: IssuedCertificate) -> str:
    """Return a certificate as nginx's ``$ssl_client_escaped_cert`` does."""
    return quote(leaf(issued), safe="")


def leaf(issued: IssuedCertificate) -> str:
    mark = "-----END CERTIFICATE-----\n"
    return issued.chain_pem.split(mark)[0] + mark


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write(folder: Path, name: str, made: tuple[IssuedCertificate, ec.EllipticCurvePrivateKey]) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_text(made[0].chain_pem)
    durable.write(key, key_pem(made[1]))
    return certificate, key


def person(identifier: str, serial: str = "0" * 40, domain: str = "outer-finance") -> Principal:
    return Principal(
        kind=SubjectKind.PERSON,
        identifier=identifier,
        name=identifier,
        organisation=OrganisationId("bc-czt"),
        domain=DomainId(domain),
        issuer="issuing",
        serial=Serial(serial),
    )


def rows(session: Session, model: type) -> list[object]:
    return list(session.exec(select(model)))
