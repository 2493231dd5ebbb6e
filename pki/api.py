"""Certificates over HTTP: list and show. Issuing, revoking and status have files of their own (``…_api.py``)."""

from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlmodel import select

from core.clock import to_rfc3339
from core.enforcement import EnforcedRoute, permission
from core.identity import Serial
from core.provision import ReadSession
from core.registry import credential
from core.registry.credential import Credential
from pki.models import Certificate

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["certificate"])


class CertificateItem(BaseModel):
    """What is known of a certificate; times are RFC 3339."""

    serial: str
    holder: str
    profile: str
    domain: str
    state: str
    not_before: str
    not_after: str
    revoked_at: str
    revocation_reason: str


class CertificateDetail(CertificateItem):
    """One certificate, with itself (PEM)."""

    certificate: str
    certificate_sha256: str


class CertificateList(BaseModel):
    """Certificates, oldest first."""

    items: list[CertificateItem]


Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/certificate")
@permission("pki:certificate:read")
def list_certificates(session: ReadSession, holder: str = "", limit: Limit = 1000) -> CertificateList:
    """List certificates, of one holder or all."""
    statement = select(Credential).order_by(Credential.not_before, Credential.serial).limit(limit)  # type: ignore[arg-type]  # columns
    if holder:
        statement = statement.where(Credential.holder == holder)
    return CertificateList(items=[_item(row) for row in session.exec(statement)])


@router.get("/certificate/{serial}")
@permission("pki:certificate:read")
def show(serial: str, session: ReadSession) -> CertificateDetail:
    """Show one certificate."""
    found = credential.get(session, Serial(serial.lower()))
    der = session.get_one(Certificate, found.serial).der
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode("ascii")
    item = _item(found)
    return CertificateDetail(**item.model_dump(), certificate=pem, certificate_sha256=found.certificate_sha256)


def _item(row: Credential) -> CertificateItem:
    return CertificateItem(
        serial=row.serial,
        holder=row.holder,
        profile=row.profile,
        domain=row.domain,
        state=row.state,
        not_before=to_rfc3339(row.not_before),
        not_after=to_rfc3339(row.not_after),
        revoked_at=to_rfc3339(row.revoked_at) if row.revoked_at else "",
        revocation_reason=row.revocation_reason,
    )
