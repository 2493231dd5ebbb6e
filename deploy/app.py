"""The ASGI applications: the service and its console over mutual TLS, status in the clear, and the ACME server."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

import authz.api
import backup.api
import core.approval.api
import core.console.shell
import core.duty.api
import core.ledger.api
import core.ledger.custody
import core.ledger.handing
import core.ledger.witness_api
import core.notice.api
import core.registry.acts_api
import core.registry.api
import hsm.api
import monitor.api
import pki.acme.account_api
import pki.acme.api
import pki.acme.certificate_api
import pki.acme.order_api
import pki.api
import pki.authority_api
import pki.bulk_api
import pki.cmp.api
import pki.console.certificate
import pki.console.desk
import pki.desk_api
import pki.device.api
import pki.enrolment_api
import pki.est.api
import pki.issuance_api
import pki.profile_api
import pki.renewal_api
import pki.revocation_api
import pki.status_api
import pki.takeover.api
import pki.tsa.api
from core.console import form, mishap
from core.console.shield import Shield
from core.web import LARGEST_BODY, BodyLimit, install_error_handlers
from deploy import identity, leaving
from deploy.console import overview
from deploy.console.beside import Beside
from deploy.wiring import Built
from pki.acme import jws, server
from pki.console import words
from pki.feed import Feed
from pki.ocsp_http import OcspEndpoint

#: Every router of the service; each enforces by its route class.
SERVICE: tuple[APIRouter, ...] = (
    identity.router,
    leaving.router,
    core.registry.acts_api.router,
    core.registry.api.router,
    core.approval.api.router,
    core.duty.api.router,
    core.notice.api.router,
    core.ledger.api.router,
    core.ledger.custody.router,
    core.ledger.handing.router,
    core.ledger.witness_api.router,
    hsm.api.router,
    pki.api.router,
    pki.authority_api.router,
    pki.acme.api.router,
    pki.device.api.router,
    pki.est.api.router,
    pki.issuance_api.router,
    pki.desk_api.router,
    pki.enrolment_api.router,
    pki.renewal_api.router,
    pki.profile_api.router,
    pki.revocation_api.router,
    pki.bulk_api.router,
    pki.takeover.api.router,
    pki.tsa.api.router,
    authz.api.router,
    monitor.api.router,
    backup.api.router,
)

#: What anybody may ask, with or without a certificate: status and time stamps, in the clear (RFC 5280, 6960, 3161).
STATUS: tuple[APIRouter, ...] = (
    identity.alive,
    pki.status_api.router,
    pki.tsa.api.submission,
    pki.cmp.api.router,
    core.ledger.witness_api.submission,
)


#: What machines without a certificate use, each request signed by itself (RFC 8555).
ACME: tuple[APIRouter, ...] = (
    pki.acme.account_api.router,
    pki.acme.order_api.router,
    pki.acme.certificate_api.router,
)

#: Pages for people, by the same certificates and the same permissions.
CONSOLE: tuple[APIRouter, ...] = (
    core.console.shell.router,
    overview.router,
    pki.console.desk.router,
    pki.console.certificate.router,
)


def service_app(built: Built) -> ASGIApp:
    """Return the service."""
    return Beside(console_app(built), _app(built, (*SERVICE, *STATUS)))


def console_app(built: Built) -> ASGIApp:
    """Return the console."""
    pages = _app(built, CONSOLE, lambda app: mishap.install_error_handlers(app, words.REFUSALS), largest=form.LARGEST)
    return Shield(pages)


def status_app(built: Built) -> ASGIApp:
    """Return what is served in the clear."""
    return _app(built, STATUS)


def acme_app(built: Built) -> ASGIApp:
    """Return the ACME server; the site has one configured."""
    return _app(built, ACME, server.install_error_handlers, largest=jws.LARGEST)


def _app(
    built: Built,
    routers: tuple[APIRouter, ...],
    handle_errors: Callable[[FastAPI], None] = install_error_handlers,
    *,
    largest: int = LARGEST_BODY,
) -> ASGIApp:
    # FastAPI's own pages about the interface would be routes without a permission.
    app = FastAPI(title="guosuo", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.provided = built.provided
    for router in routers:
        app.include_router(router)
    handle_errors(app)
    limited, feed = BodyLimit(app, largest), built.provided.get(Feed)
    return OcspEndpoint(limited, feed) if isinstance(feed, Feed) else limited
