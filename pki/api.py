"""Certificates over HTTP: list and show. Issuing, revoking and status have files of their own (``…_api.py``)."""

from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Query
from pydantic import BaseModel

from core.clock import Given, to_rfc3339
from core.enforcement import EnforcedRoute, permission
from core.identity import Serial
from core.provision import ReadSession
from core.registry import credential
from core.registry.credential import Credential
from pki import catalogue
from pki.catalogue import Wanted
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
    """Certificates, oldest first; ``next`` is the serial number to go on after, empty when these were the last."""

    items: list[CertificateItem]
    next: str


Limit = Annotated[int, Query(ge=1, le=10_000)]
Word = Annotated[str, Query(max_length=80)]


@router.get("/certificate")
@permission("pki:certificate:read")
def list_certificates(
    session: ReadSession,
    holder: Word = "",
    domain: Word = "",
    profile: Word = "",
    state: Word = "",
    before: Given | None = None,
    after: Word = "",
    limit: Limit = 1000,
) -> CertificateList:
    """List certificates: of a holder, domain, profile or state, or those that end ``before`` a time (RFC 3339)."""
    wanted = Wanted(holder, domain, profile, state, before)
    part = catalogue.find(session, wanted, after=after.lower(), limit=limit)
    return CertificateList(items=[_item(row) for row in part.rows], next=part.rest)


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
