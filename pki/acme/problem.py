"""Problem documents of ACME (RFC 8555, 6.7; RFC 9457): one table from our errors to the protocol's. Pure."""

from collections.abc import Mapping
from http import HTTPStatus

from core import errors
from core.errors import TrustError
from core.ledger.entry import JsonValue
from pki.acme.errors import BadMedia, RejectedIdentifier
from pki.errors import NeedsSecond

TYPE = "urn:ietf:params:acme:error:"

MEDIA = "application/problem+json"

#: Words of the protocol; an error whose reason is one of them says so itself.
WORDS = frozenset(
    {
        "accountDoesNotExist",
        "alreadyReplaced",
        "alreadyRevoked",
        "badCSR",
        "badNonce",
        "badPublicKey",
        "badRevocationReason",
        "badSignatureAlgorithm",
        "connection",
        "dns",
        "externalAccountRequired",
        "incorrectResponse",
        "malformed",
        "orderNotReady",
        "rateLimited",
        "rejectedIdentifier",
        "serverInternal",
        "tls",
        "unauthorized",
        "unsupportedContact",
        "unsupportedIdentifier",
    }
)

#: What the authority says of a request, in the protocol's words.
_TRANSLATED = {
    "already-revoked": "alreadyRevoked",
    "bad-host-name": "badCSR",
    "broken-proof-of-possession": "badCSR",
    "forbidden-extension": "badCSR",
    "foreign-name": "badCSR",
    "malformed-request": "badCSR",
    "request-too-large": "badCSR",
    "reused-key": "badCSR",
    "revoked-key": "badCSR",
    "unknown-revocation-reason": "badRevocationReason",
    "weak-key": "badCSR",
    "wildcard-name": "badCSR",
    "wrong-profile": "unauthorized",
}

_KINDS: Mapping[type[TrustError], tuple[str, HTTPStatus]] = {
    NeedsSecond: ("unauthorized", HTTPStatus.FORBIDDEN),
    errors.Malformed: ("malformed", HTTPStatus.BAD_REQUEST),
    errors.Unauthenticated: ("unauthorized", HTTPStatus.UNAUTHORIZED),
    errors.Forbidden: ("unauthorized", HTTPStatus.FORBIDDEN),
    errors.NotFound: ("malformed", HTTPStatus.NOT_FOUND),
    errors.Conflict: ("malformed", HTTPStatus.CONFLICT),
    errors.Rejected: ("malformed", HTTPStatus.BAD_REQUEST),
    errors.Unavailable: ("serverInternal", HTTPStatus.SERVICE_UNAVAILABLE),
}


def word(error: TrustError) -> str:
    """Return the protocol's word for an error."""
    if error.word in WORDS:
        return error.word
    return _TRANSLATED.get(error.word) or _kind(error)[0]


def status(error: TrustError) -> HTTPStatus:
    """Return the HTTP status that an error is answered with."""
    if isinstance(error, BadMedia):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return HTTPStatus.TOO_MANY_REQUESTS if word(error) == "rateLimited" else _kind(error)[1]


def document(error: TrustError) -> dict[str, JsonValue]:
    """Return the document; ``subproblems`` is there when there are some, and never ``null``."""
    detail = f"{error.detail} ({error.hint})" if error.hint else error.detail
    content: dict[str, JsonValue] = {"type": TYPE + word(error), "detail": detail, "status": int(status(error))}
    if isinstance(error, RejectedIdentifier):
        content["subproblems"] = [
            {
                "type": TYPE + one.reason,
                "detail": one.detail,
                "identifier": {"type": one.kind, "value": one.value},
            }
            for one in error.subproblems
        ]
    return content


def unexpected() -> dict[str, JsonValue]:
    """Return what is answered for a defect of ours: its text may name paths, statements or secrets."""
    detail = "something went wrong on our side"
    return {"type": f"{TYPE}serverInternal", "detail": detail, "status": int(HTTPStatus.INTERNAL_SERVER_ERROR)}


def _kind(error: TrustError) -> tuple[str, HTTPStatus]:
    for kind in type(error).__mro__:
        if kind in _KINDS:
            return _KINDS[kind]
    return "serverInternal", HTTPStatus.INTERNAL_SERVER_ERROR
