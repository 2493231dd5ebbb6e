"""EST's operations (RFC 7030, 3.2.2), each with and without the label of an authority; refusals are plain text.

Whoever shows a certificate is known by it; who has none yet sends name and initial secret (3.2.3). Certificates of
authorities are for everybody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from core.database import Database
from core.enforcement import EnforcedRoute, public
from core.errors import TrustError, Unauthenticated, Unavailable
from core.provision import provided
from core.registry import levels
from core.web import status_of
from pki import chain, cms, form, profileset
from pki.device import events, keymaking
from pki.device.asker import Asker, Askers
from pki.device.door import Door
from pki.device.errors import NoProof
from pki.device.requesting import ASK_AGAIN, Filed, Given, Requesting
from pki.errors import NeedsSecond
from pki.est import message
from pki.est.errors import NoSuchAuthority, OtherNames, WrongMedia
from pki.issuer import ISSUING

router = APIRouter(route_class=EnforcedRoute, prefix="/.well-known/est", tags=["est"])


@dataclass(frozen=True, slots=True)
class Est:
    """The parts of the server."""

    database: Database
    askers: Askers
    requesting: Requesting
    door: Door


Server = Annotated[Est, Depends(provided(Est))]


async def _sent(request: Request) -> bytes:
    """Return a request's body; asynchronous, for only so the framework leaves it unread."""
    return await request.body()


Body = Annotated[bytes, Depends(_sent)]


@router.get("/cacerts")
@router.get("/{issuer_label}/cacerts")
@public
def cacerts(request: Request, server: Server, issuer_label: str = ISSUING) -> Response:
    """Give the certificates of our authorities (RFC 7030, 4.1)."""

    def act() -> Response:
        _check_label(issuer_label)
        with server.database.read() as session:
            return _certificates(chain.authorities(session))

    return _answer(request, server, act)


@router.get("/csrattrs")
@router.get("/{issuer_label}/csrattrs")
@public
def csrattrs(request: Request, server: Server, issuer_label: str = ISSUING) -> Response:
    """Say what a request should have (RFC 7030, 4.5): keys that the asker's level and profile take."""

    def act() -> Response:
        _check_label(issuer_label)
        holder = _asker(request, server).holder
        with server.database.read() as session:
            profile = profileset.active(session).get(holder.kind)
        sizes = levels.value("rsa_bits", holder.level), levels.value("ec_bits", holder.level)
        return _response(message.attributes(profile, *sizes), message.ATTRIBUTES)

    return _answer(request, server, act)


@router.post("/simpleenroll")
@router.post("/{issuer_label}/simpleenroll")
@public
def simpleenroll(request: Request, server: Server, body: Body, issuer_label: str = ISSUING) -> Response:
    """Issue a certificate (RFC 7030, 4.2.1)."""

    def act() -> Response:
        _check_label(issuer_label)
        asker = _asker(request, server)
        octets = message.parse_body(request.headers.get("content-type", ""), body)
        return _given(server.requesting.issue(asker, octets))

    return _answer(request, server, act)


@router.post("/simplereenroll")
@router.post("/{issuer_label}/simplereenroll")
@public
def simplereenroll(request: Request, server: Server, body: Body, issuer_label: str = ISSUING) -> Response:
    """Renew the certificate that is shown, with its names (RFC 7030, 4.2.2)."""

    def act() -> Response:
        _check_label(issuer_label)
        asker = _asker(request, server)
        if not asker.serial:
            raise NoProof("a re-enrolment shows the certificate that it renews", hint="enrol with `simpleenroll`")
        octets = message.parse_body(request.headers.get("content-type", ""), body)
        _check_names(asker, octets)
        return _given(server.requesting.issue(asker, octets))

    return _answer(request, server, act)


@router.post("/serverkeygen")
@router.post("/{issuer_label}/serverkeygen")
@public
def serverkeygen(request: Request, server: Server, body: Body, issuer_label: str = ISSUING) -> Response:
    """Make a key for a machine that cannot, and issue a certificate over it (RFC 7030, 4.4); TLS alone protects it."""

    def act() -> Response:
        _check_label(issuer_label)
        asker = _asker(request, server)
        made = keymaking.make(form.read(message.parse_body(request.headers.get("content-type", ""), body)))
        if server.requesting.takes_two(asker):
            raise NeedsSecond(
                "a key is not kept until two officers agree", hint="make the key yourself: `simpleenroll`"
            )
        outcome = server.requesting.issue(asker, made.request)
        assert isinstance(outcome, Given)
        holder = asker.holder
        server.door.append(events.key_made(holder.identifier, holder.domain, outcome.serial))
        boundary = outcome.serial
        content = message.key_and_certificate(made.pkcs8, cms.certificates_only([outcome.der]), boundary)
        return Response(content, 200, {"Cache-Control": "no-store"}, f"multipart/mixed; boundary={boundary}")

    return _answer(request, server, act)


def _answer(request: Request, server: Est, act: Callable[[], Response]) -> Response:
    """Act, and answer a refusal as the protocol does (RFC 7030, 4.2.3); it is on record then."""
    try:
        server.door.admit(request.client.host if request.client else "")
        return act()
    except TrustError as error:
        asked = request.url.path.replace("\0", "")
        told = server.door.record("est", asked, error, getattr(request.state, "asker", None))
    detail = f"{told.detail} ({told.hint})" if told.hint else told.detail
    headers = {"Cache-Control": "no-store"}
    if isinstance(told, Unauthenticated):
        headers["WWW-Authenticate"] = 'Basic realm="guosuo", charset="UTF-8"'
    if isinstance(told, Unavailable):
        headers["Retry-After"] = "60"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE if isinstance(told, WrongMedia) else status_of(told)
    return Response(f"{told.word}: {detail}\n", int(status), headers, "text/plain; charset=utf-8")


def _asker(request: Request, server: Est) -> Asker:
    """Return who asks; a certificate goes before a secret. Raises ``NoProof``, or why the proof is not taken."""
    shown = request.scope.get("extensions", {}).get("tls", {}).get("client_certificate")
    said = message.parse_basic(request.headers.get("authorization", ""))
    if isinstance(shown, bytes):
        found = server.askers.by_certificate(shown)
    elif said is not None:
        found = server.askers.by_secret(*said)
    else:
        hint = "show a certificate, or send the id and the value of an initial secret (`guosuo cmp secret`)"
        raise NoProof("nothing says which machine this is", hint=hint)
    request.state.asker = found
    return found


def _check_label(label: str) -> None:
    if label != ISSUING:
        raise NoSuchAuthority(f"the authority `{label[:40]}` issues nothing over EST", hint=f"`{ISSUING}`, or no label")


def _check_names(asker: Asker, octets: bytes) -> None:
    """Raise ``OtherNames`` unless a request names exactly what the certificate does; its subject is judged later."""
    asked = form.read(octets)
    if set(asked.hosts) != set(asker.hosts) or set(asked.addresses) != set(asker.addresses):
        detail = "a re-enrolment names exactly what the certificate does (RFC 7030, 4.2.2)"
        raise OtherNames(detail, hint="ask for other names with `simpleenroll`, or at the desk")


def _given(outcome: Given | Filed) -> Response:
    if isinstance(outcome, Given):
        return _certificates([outcome.der])
    text = f"the request {outcome.desk} waits for two officers at the desk: send it again later\n"
    headers = {"Retry-After": str(ASK_AGAIN), "Cache-Control": "no-store"}
    return Response(text, int(HTTPStatus.ACCEPTED), headers, "text/plain; charset=utf-8")


def _certificates(certificates: list[bytes]) -> Response:
    return _response(cms.certificates_only(certificates), f"{message.CERTIFICATES}; smime-type=certs-only")


def _response(octets: bytes, media: str) -> Response:
    headers = {"Content-Transfer-Encoding": "base64", "Cache-Control": "no-store"}
    return Response(message.encode(octets), 200, headers, media)
