"""No route without a permission: authenticate, decide (in a transaction of its own, committed), only then act.

``EnforcedRoute`` is the route class of every router of ours; an endpoint without ``@permission`` or ``@public`` cannot
be registered, so none can be left open by forgetting.
"""

import secrets
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.params import Depends as DependsMarker
from fastapi.routing import APIRoute

from core.access import Authenticator, DecisionPoint, DecisionRequest
from core.errors import Forbidden, Unauthenticated
from core.identity import SITE, Principal, RequestId
from core.provision import provided

_PERMISSION = "__guosuo_permission__"
_PUBLIC = "public"

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def permission(name: str) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint with the permission it needs, written ``package:noun:verb``."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _PERMISSION, name)
        return endpoint

    return mark


def public(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that anybody may use without a certificate (certificate status, liveness)."""
    setattr(endpoint, _PERMISSION, _PUBLIC)
    return endpoint


def permission_of(endpoint: Callable[..., object]) -> str:
    """Return an endpoint's permission, ``public`` for an open one, empty when it was never marked."""
    return str(getattr(endpoint, _PERMISSION, ""))


class EnforcedRoute(APIRoute):
    """A route that authenticates and decides before its endpoint's own dependencies run."""

    def __init__(self, path: str, endpoint: Callable[..., object], **options: object) -> None:
        """Add the enforcing dependency; raises ``TypeError`` for an endpoint that nobody marked."""
        needed = permission_of(endpoint)
        if not needed:
            raise TypeError(f"{path} has neither a permission nor is it marked public")
        if needed != _PUBLIC:
            given = options.get("dependencies") or []
            assert isinstance(given, list)
            options["dependencies"] = [_enforce(needed), *given]
        super().__init__(path, endpoint, **options)  # type: ignore[arg-type]  # APIRoute's own thirty options


def peer_certificate(request: Request) -> bytes:
    """Return the DER certificate of the TLS peer. Raises ``Unauthenticated`` when it showed none."""
    tls = request.scope.get("extensions", {}).get("tls", {})
    certificate = tls.get("client_certificate")
    if not isinstance(certificate, bytes):
        raise Unauthenticated(
            "this connection shows no certificate",
            hint="log in with `guosuo login URL --cert FILE --key FILE`",
            reason="no-certificate",
        )
    return certificate


def _enforce(needed: str) -> DependsMarker:
    def enforce(
        request: Request,
        authenticator: Annotated[Authenticator, Depends(provided(Authenticator))],
        decisions: Annotated[DecisionPoint, Depends(provided(DecisionPoint))],
    ) -> None:
        # The status of the certificate is asked at every request: a connection may be older than its revocation.
        principal = authenticator.authenticate(peer_certificate(request))
        identifier = RequestId(secrets.token_hex(16))
        decision = decisions.decide(
            DecisionRequest(
                principal=principal,
                action=needed,
                resource_type="installation",
                resource_id="site",
                domain=SITE,
                request_id=identifier,
            )
        )
        if not decision.allowed:
            raise Forbidden(decision.explanation, hint=decision.ask, reason=decision.reason)
        request.state.principal = principal
        request.state.request_id = identifier

    marker = Depends(enforce)
    assert isinstance(marker, DependsMarker)
    return marker


def current_principal(request: Request) -> Principal:
    """Return who was authenticated for this request; only inside an enforced route."""
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


#: What an endpoint declares to be told who acts.
Acting = Annotated[Principal, Depends(current_principal)]
