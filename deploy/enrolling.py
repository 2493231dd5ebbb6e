"""The parts of the ACME server, put together: what serves its clients, and what looks at their machines."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from core.clock import Clock
from core.database import Database
from core.jobs import Job
from core.pace import Pace
from deploy import acme
from deploy.settings import AcmeSection, Settings
from pki.acme import jobs
from pki.acme.caller import Callers
from pki.acme.directory import Urls
from pki.acme.finalize import Finalizer
from pki.acme.network import Network
from pki.acme.nonce import Nonces
from pki.acme.server import AcmeServer
from pki.acme.settings import AcmeSettings
from pki.acme.validation import Validation
from pki.issuance import CertificateAuthority
from pki.issuer import ISSUING

#: Requests of one address, and refusals of all who are not known, within a minute.
REQUESTS, REFUSALS = 600, 300


def asked(settings: Settings, section: AcmeSection) -> AcmeSettings:
    """Return the server's settings."""
    return AcmeSettings(
        public_url=f"https://{settings.listen.host}:{section.port}",
        resolvers=section.resolvers,
        http_port=section.http_port,
        tls_port=section.tls_port,
    )


def provided(
    settings: Settings, database: Database, *, clock: Clock, authority: CertificateAuthority
) -> dict[type, object]:
    """Return the server by its type; nothing where none is configured."""
    if settings.acme is None:
        return {}
    secret = acme.secret(settings)
    wanted = asked(settings, settings.acme)
    return {AcmeServer: server(wanted, database, clock=clock, authority=authority, secret=secret)}


def server(
    wanted: AcmeSettings,
    database: Database,
    *,
    clock: Clock,
    authority: CertificateAuthority,
    secret: bytes,
) -> AcmeServer:
    """Return a server."""
    nonces = Nonces(database=database, clock=clock, random=secrets.token_bytes, secret=secret)
    urls, minute = Urls(wanted.public_url, ISSUING), timedelta(minutes=1)
    return AcmeServer(
        settings=wanted,
        database=database,
        clock=clock,
        random=secrets.token_bytes,
        secret=secret,
        urls=urls,
        nonces=nonces,
        callers=Callers(database=database, nonces=nonces, urls=urls),
        finalizer=Finalizer(database=database, authority=authority, clock=clock),
        requests=Pace(clock=clock, most=REQUESTS, within=minute),
        refusals=Pace(clock=clock, most=REFUSALS, within=minute),
    )


def looking(settings: Settings, database: Database, *, clock: Clock) -> Sequence[Job]:
    """Return the work of looking at machines; none where no server is configured."""
    if settings.acme is None:
        return []
    network = Network(asked(settings, settings.acme))
    return jobs.outward(Validation(database=database, clock=clock, network=network))
