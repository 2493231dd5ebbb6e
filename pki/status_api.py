"""Certificate status for everybody: lists and authorities' certificates (RFC 5280). For OCSP see ``ocsp_http.py``."""

import re
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel
from sqlmodel import Session

from core.clock import Clock, to_rfc3339
from core.enforcement import EnforcedRoute, public
from core.errors import Malformed
from core.identity import Serial
from core.provision import ReadSession, provided
from core.registry import credential
from pki import chain, crl, issuer, listing, standing
from pki.errors import NotEstablished
from pki.listing import Known
from pki.pointers import SHARDS
from pki.tbslist import DELTA, FULL

router = APIRouter(route_class=EnforcedRoute, tags=["status"])

#: Seconds that somebody between us and whoever asks may keep a list: after these a revocation must be seen.
_KEEP = 60

Matching = Annotated[str, Header(alias="If-None-Match")]


@router.get("/crl/{name}/0.crl")
@public
def full_list(name: str, session: ReadSession, matching: Matching = "") -> Response:
    """Return the newest full list (DER). The address is the one in certificates from before there were shards."""
    return _list(session, name, FULL, matching)


@router.get("/crl/{name}/delta.crl")
@public
def delta_list(name: str, session: ReadSession, matching: Matching = "") -> Response:
    """Return the newest delta list (DER)."""
    return _list(session, name, DELTA, matching)


@router.get("/crl/{name}/{shards}/{shard}.crl")
@public
def shard_list(name: str, shards: int, shard: int, session: ReadSession, matching: Matching = "") -> Response:
    """Return the newest list of one shard (DER)."""
    if shards != SHARDS or not 0 <= shard < SHARDS:
        raise NotEstablished(f"the lists of `{name}` have no shard {shard} of {shards}")
    return _list(session, name, str(shard), matching)


class StatusAnswer(BaseModel):
    """What everybody may know of a serial number: ``state`` is good, held, revoked or unknown; times are RFC 3339.

    ``since`` and ``reason`` are those of the lists, empty for a good one; ``crl_number`` that of the newest full list.
    """

    serial: str
    state: str
    since: str
    reason: str
    at: str
    crl_number: int | None


@router.get("/api/v1/status/{serial}")
@public
def status(serial: str, session: ReadSession, clock: Annotated[Clock, Depends(provided(Clock))]) -> StatusAnswer:
    """Return the status of one certificate, as the store has it now."""
    if not re.fullmatch(r"[0-9a-fA-F]{40}", serial):
        raise Malformed("a serial number has 40 hexadecimal digits")
    found = standing.of(session, Serial(serial.lower()))
    held = credential.find(session, Serial(serial.lower()))
    newest = listing.newest(session, held.issuer if held else issuer.ISSUING, FULL).get(FULL)
    return StatusAnswer(
        serial=serial.lower(),
        state=found.state,
        since=to_rfc3339(found.since) if found.since else "",
        reason=found.reason,
        at=to_rfc3339(clock.now()),
        crl_number=newest.number if newest else None,
    )


@router.get("/ca/{name}.cer")
@public
def authority_certificate(name: str, session: ReadSession) -> Response:
    """Return an authority's certificate (DER)."""
    return Response(issuer.get(session, name).der, media_type="application/pkix-cert")


@router.get("/ca/{name}.p7c")
@public
def authority_bundle(name: str, session: ReadSession) -> Response:
    """Return every certificate of an authority, also those that other roots gave it (certs-only CMS)."""
    return Response(chain.bundle(session, name), media_type="application/pkcs7-mime; smime-type=certs-only")


@router.get("/ca/{name}/chain.pem")
@public
def authority_chain(name: str, session: ReadSession) -> Response:
    """Return what stands between a certificate of this authority and every root of ours (PEM)."""
    return Response(chain.pem(chain.above(session, name)), media_type="application/pem-certificate-chain")


def _list(session: Session, name: str, scope: str, matching: str) -> Response:
    headers = _headers(name, scope, crl.find(session, name, scope))
    if headers["ETag"] in matching:
        return Response(status_code=304, headers=headers)
    known, content = crl.newest(session, name, scope)
    return Response(content, media_type="application/pkix-crl", headers=_headers(name, scope, known))


def _headers(name: str, scope: str, known: Known) -> dict[str, str]:
    return {
        "ETag": f'"{name}-{scope}-{known.number}"',
        "Last-Modified": format_datetime(known.this_update, usegmt=True),
        "Expires": format_datetime(known.next_update, usegmt=True),
        "Cache-Control": f"public, max-age={_KEEP}, must-revalidate",
    }
