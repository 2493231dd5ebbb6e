"""Certificates over HTTP: list, show, revoke; and status for everybody, in the clear (RFC 5280, 6960)."""

import base64
import binascii
from typing import Annotated
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import select

from core.clock import Clock, to_rfc3339
from core.database import Database
from core.enforcement import Acting, EnforcedRoute, permission, public
from core.errors import Unavailable
from core.identity import Serial
from core.ledger.publication import await_publication
from core.provision import ReadSession, provided
from core.registry import credential
from core.registry.credential import Credential
from pki import issuer, revocation
from pki.crl import CrlPublisher
from pki.errors import NotEstablished
from pki.models import Certificate
from pki.ocsp import OcspResponder

router = APIRouter(route_class=EnforcedRoute, prefix="/api/v1", tags=["certificate"])
status = APIRouter(route_class=EnforcedRoute, tags=["status"])


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


class RevocationRequest(BaseModel):
    """Why: a reason of RFC 5280 by its word."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="unspecified", max_length=40)


class Revoked(BaseModel):
    """A revocation: its record, whether that is published and mirrored, and the numbers of the new lists.

    No numbers: the signer did not answer, and the list follows when it does. The revocation is in force all the same.
    """

    serial: str
    revoked_at: str
    reason: str
    record: str
    published: bool
    crl_numbers: list[int]


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


@router.post("/certificate/{serial}/revocation")
@permission("pki:certificate:revoke")
def revoke(
    serial: str,
    body: RevocationRequest,
    principal: Acting,
    database: Annotated[Database, Depends(provided(Database))],
    publisher: Annotated[CrlPublisher, Depends(provided(CrlPublisher))],
    clock: Annotated[Clock, Depends(provided(Clock))],
) -> Revoked:
    """Revoke a certificate; answered when it is in force, and when its record is mirrored or that took too long."""
    at = clock.now()
    with database.write() as session:
        record = revocation.revoke(
            session, Serial(serial.lower()), reason=body.reason, actor=principal.identifier, at=at
        )
    # From here on every decision refuses. A crash here leaves the list to the job that publishes it.
    numbers = _publish(publisher)
    return Revoked(
        serial=serial.lower(),
        revoked_at=to_rfc3339(at),
        reason=body.reason,
        record=record,
        published=_published(database, record),
        crl_numbers=numbers,
    )


@status.get("/crl/{name}/{shard}.crl")
@public
def crl(name: str, shard: int, publisher: Annotated[CrlPublisher, Depends(provided(CrlPublisher))]) -> Response:
    """Return the newest list (DER)."""
    if shard != 0:
        raise NotEstablished(f"the list of `{name}` has no shard {shard}")
    return Response(publisher.current(name), media_type="application/pkix-crl")


@status.get("/ca/{name}.cer")
@public
def authority_certificate(name: str, session: ReadSession) -> Response:
    """Return an authority's certificate (DER)."""
    return Response(issuer.get(session, name).der, media_type="application/pkix-cert")


Responder = Annotated[OcspResponder, Depends(provided(OcspResponder))]

OcspBody = Annotated[bytes, Body(media_type="application/ocsp-request")]

_OCSP = "application/ocsp-response"


@status.post("/ocsp/{name}")
@public
def ocsp_post(name: str, content: OcspBody, responder: Responder) -> Response:
    """Answer an OCSP request in the body (RFC 6960, A.1)."""
    _known(name)
    return Response(responder.respond(content), media_type=_OCSP)


@status.get("/ocsp/{name}/{encoded:path}")
@public
def ocsp_get(name: str, encoded: str, responder: Responder) -> Response:
    """Answer an OCSP request in the path (RFC 6960, A.1): base64, percent-encoded."""
    _known(name)
    try:
        content = base64.b64decode(unquote(encoded), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    return Response(responder.respond(content), media_type=_OCSP)


def _known(name: str) -> None:
    if name != issuer.ISSUING:
        raise NotEstablished(f"there is no responder for `{name}`")


def _publish(publisher: CrlPublisher) -> list[int]:
    """Publish what the revocation changed; nothing while the signer does not answer, the job repeats it every 2 s."""
    try:
        return publisher.refresh()
    except Unavailable:
        # Told as a failure, a revocation that is in force would be taken for one that is not.
        return []


def _published(database: Database, record: str) -> bool:
    """Wait until the record is under a published checkpoint; say whether it was (the act is done either way)."""
    try:
        await_publication(database, record, timeout=3.0)
    except Unavailable:
        return False
    return True


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
