"""Certificate status for everybody: lists and authorities' certificates (RFC 5280). For OCSP see ``ocsp_http.py``."""

from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Header, Response
from sqlmodel import Session

from core.enforcement import EnforcedRoute, public
from core.provision import ReadSession
from pki import crl, issuer
from pki.errors import NotEstablished
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


@router.get("/ca/{name}.cer")
@public
def authority_certificate(name: str, session: ReadSession) -> Response:
    """Return an authority's certificate (DER)."""
    return Response(issuer.get(session, name).der, media_type="application/pkix-cert")


def _list(session: Session, name: str, scope: str, matching: str) -> Response:
    known = crl.find(session, name, scope)
    headers = {
        "ETag": f'"{name}-{scope}-{known.number}"',
        "Last-Modified": format_datetime(known.this_update, usegmt=True),
        "Expires": format_datetime(known.next_update, usegmt=True),
        "Cache-Control": f"public, max-age={_KEEP}, must-revalidate",
    }
    if headers["ETag"] in matching:
        return Response(status_code=304, headers=headers)
    content = crl.octets(session, name, scope, known.number)
    return Response(content, media_type="application/pkix-crl", headers=headers)
