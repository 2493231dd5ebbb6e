"""A certification authority over a real token, on both stores."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from core.database import Database
from core.identity import SITE, PersonId, SubjectKind
from core.ledger.group import GroupCommit
from core.registry import role
from pki import hierarchy
from pki.authentication import CertificateAuthenticator
from pki.crl import CrlPublisher
from pki.desk import RequestDesk
from pki.deskofficer import Officer
from pki.issuance import CertificateAuthority
from pki.ocsp import OcspResponder
from pki.request import IssuanceRequest, IssuedCertificate
from pki.settings import PkiSettings
from tests.clock import ManualClock
from tests.people import enter_province
from tests.remembered import Remembered
from tests.services.softhsm import Running

SETTINGS = PkiSettings(organisation="北辰省 演练样本", public_url="http://localhost:8480")

FOUNDED = Remembered()

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Pki:
    database: Database
    clock: ManualClock
    signer: Running
    authority: CertificateAuthority
    publisher: CrlPublisher
    responder: OcspResponder
    authenticator: CertificateAuthenticator
    folder: Path
    desk: RequestDesk

    def issue(self, holder: str = "li-wen", key: PrivateKey | None = None, **more: object) -> IssuedCertificate:
        request = IssuanceRequest(
            csr=csr(key or ec.generate_private_key(ec.SECP256R1()), holder),
            profile="person",
            holder_kind=SubjectKind.PERSON,
            holder=holder,
            **more,  # type: ignore[arg-type]  # the tests name real fields
        )
        return self.authority.issue(request, actor="zhao-ra")


def officer(pki: Pki, name: str, role_: str = "registration-officer") -> Officer:
    """Give somebody an office and a certificate to decide with."""
    with pki.database.write() as session:
        role.assign(session, person=PersonId(name), domain=SITE, role=role_, giver="founding", at=pki.clock.now())
    return Officer(name, pki.issue(name).serial)


def build(database: Database, clock: ManualClock, signer: Running, folder: Path) -> Pki:
    """Province and authorities in ``database``, and the parts over them."""
    found(database, clock, signer, SETTINGS)
    return join(database, clock, signer, folder)


def found(database: Database, clock: ManualClock, signer: Running, settings: PkiSettings) -> None:
    """Enter province and authorities; into another empty store over the same keys, what was entered into the first."""

    def work() -> None:
        with database.write() as session:
            enter_province(session, clock.now())
        hierarchy.establish(database, signer.client, clock, secrets.token_bytes, settings)

    infos = list(signer.client.keys())
    present = {info.label: info.spki_sha256 for info in infos}
    keys = tuple(present.get(label) for label in ("root-ca", "issuing-ca", "ocsp", "tsa-1", "cmp"))
    if None in keys:
        work()
    else:
        FOUNDED.enter_store(database, (clock.now(), keys, settings.organisation, settings.public_url), work)


def join(database: Database, clock: ManualClock, signer: Running, folder: Path) -> Pki:
    """The parts over a store that is filled already."""
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


@pytest.fixture
def pki(database: Database, clock: ManualClock, signer_process: Running, tmp_path: Path) -> Iterator[Pki]:
    return build(database, clock, signer_process, tmp_path)


@pytest.fixture
def sqlite_pki(sqlite_database: Database, clock: ManualClock, signer_process: Running, tmp_path: Path) -> Pki:
    return build(sqlite_database, clock, signer_process, tmp_path)


def csr(
    key: PrivateKey,
    holder: str,
    *,
    names: dict[x509.ObjectIdentifier, str] | None = None,
    dns: tuple[str, ...] = (),
    extensions: tuple[x509.ExtensionType, ...] = (),
) -> bytes:
    subject = [x509.NameAttribute(oid, value) for oid, value in (names or {NameOID.USER_ID: holder}).items()]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if dns:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in dns]), critical=False
        )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
