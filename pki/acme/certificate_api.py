"""Certificates: fetched, revoked, and when to renew them (RFC 8555, 7.4.2 and 7.6; RFC 9773)."""

import hashlib
import ssl

from cryptography import x509
from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from core.enforcement import EnforcedRoute, public
from core.identity import Serial
from core.provision import ReadSession
from core.registry import credential
from core.registry.credential import Credential
from pki import chain, reason, revocation
from pki.acme import answer, encoding, events, payload, renewal, window
from pki.acme.caller import Caller, Newcomer
from pki.acme.errors import BadRequest, NotHere, NotYours
from pki.acme.payload import Revoke
from pki.acme.server import ByAccount, ByEither, Server, admitted
from pki.errors import UnknownReason
from pki.models import Certificate

router = APIRouter(route_class=EnforcedRoute, prefix="/acme/{issuer}", tags=["acme"], dependencies=[Depends(admitted)])

CHAIN = "application/pem-certificate-chain"

_WORDS = {code: word for word, code in reason.CODES.items()}


@router.post("/certificate/{serial}")
@public
def certificate(serial: str, asking: ByAccount, server: Server, session: ReadSession) -> Response:
    """Give a holder its certificate with that of the authority (PEM)."""
    payload.check_empty(asking.payload)
    held = credential.find(session, Serial(serial))
    row = session.get(Certificate, serial)
    if held is None or row is None or not _is_own(held, asking):
        raise NotHere("you have no such certificate")
    pem = "".join(ssl.DER_cert_to_PEM_cert(der) for der in (row.der, *chain.above(session, row.issuer)))
    return Response(pem, media_type=CHAIN, headers=server.headers())


@router.post("/revoke-cert")
@public
def revoke(asking: ByEither, server: Server) -> Response:
    """Revoke a certificate, for its holder's account or for whoever has its key."""
    asked = payload.parse(Revoke, asking.payload)
    der = encoding.decode(asked.certificate, "certificate")
    if asked.reason not in _WORDS:
        raise UnknownReason(f"{asked.reason} is no reason to revoke for (RFC 5280, 5.3.1)")
    with server.database.write() as session:
        held = credential.find(session, _serial(der))
        if held is None or held.certificate_sha256 != hashlib.sha256(der).hexdigest():
            raise NotHere("the certificate is none of ours")
        if not _is_own(held, asking):
            raise NotYours("the certificate is somebody else's, and its key did not sign this")
        revocation.revoke(
            session,
            Serial(held.serial),
            reason=_WORDS[asked.reason],
            actor=events.actor_of(held.holder),
            at=server.clock.now(),
        )
    # From here on every decision refuses. A crash here leaves the lists to the job that publishes them.
    return Response(status_code=200, headers=server.headers())


@router.get("/renewal-info/{name}")
@public
def renewal_info(name: str, session: ReadSession) -> JSONResponse:
    """Say when a certificate is to be renewed; everybody may ask (RFC 9773, 4.1)."""
    serial = renewal.find_named(session, name[:200])
    found = answer.renewal(renewal.find(session, serial))
    return JSONResponse(found, headers={"Retry-After": str(window.ASK_AGAIN)})


def _is_own(held: Credential, asking: Caller | Newcomer) -> bool:
    if isinstance(asking, Caller):
        return (held.holder_kind, held.holder) == (asking.holder.kind, asking.holder.identifier)
    return held.spki_sha256 == hashlib.sha256(asking.key.spki).hexdigest()


def _serial(der: bytes) -> Serial:
    try:
        return Serial(f"{x509.load_der_x509_certificate(der).serial_number:040x}")
    except (ValueError, x509.InvalidVersion) as error:
        raise BadRequest("the certificate cannot be read") from error
