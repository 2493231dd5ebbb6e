"""Wiring of what machines enrol by: EST and CMP, and the initial secrets that both begin with."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from core.access import Authenticator
from core.clock import Clock
from core.database import Database
from core.pace import Pace
from deploy import initial
from deploy.settings import Settings
from hsm.client import SignerClient
from pki.cmp.certification import Certification
from pki.cmp.server import Cmp
from pki.cmp.shield import Shield
from pki.desk import RequestDesk
from pki.device.api import SecretMaker
from pki.device.asker import Askers
from pki.device.door import Door
from pki.device.requesting import Requesting
from pki.est.api import Est
from pki.issuance import CertificateAuthority
from pki.issuer import ISSUING

#: Requests of one address, and refusals of all who are not known, within a minute.
REQUESTS, REFUSALS = 600, 300


def provided(
    settings: Settings,
    database: Database,
    keys: SignerClient,
    *,
    clock: Clock,
    authority: CertificateAuthority,
    authenticator: Authenticator,
) -> dict[type, object]:
    """Return what the interface needs, by type."""
    listen = settings.listen
    maker = SecretMaker(
        clock=clock,
        random=secrets.token_bytes,
        installation=partial(initial.secret, settings),
        est_url=f"https://{listen.host}:{listen.port}/.well-known/est",
        cmp_url=f"{settings.public_url}/.well-known/cmp/p/{ISSUING}",
    )
    parts = servers(
        database, keys, clock=clock, authority=authority, authenticator=authenticator, installation=maker.installation
    )
    return {SecretMaker: maker, **parts}


def servers(
    database: Database,
    keys: SignerClient,
    *,
    clock: Clock,
    authority: CertificateAuthority,
    authenticator: Authenticator,
    installation: Callable[[], bytes],
) -> dict[type, object]:
    """Return the servers of both protocols, by type."""
    desk = RequestDesk(database=database, authority=authority, clock=clock, random=secrets.token_bytes)
    askers = Askers(database=database, authenticator=authenticator, clock=clock, installation=installation)
    requesting = Requesting(database=database, authority=authority, request_desk=desk, clock=clock)
    minute = timedelta(minutes=1)
    door = Door(
        database=database,
        clock=clock,
        requests=Pace(clock=clock, most=REQUESTS, within=minute),
        refusals=Pace(clock=clock, most=REFUSALS, within=minute),
    )
    shield = Shield(database=database, keys=keys, clock=clock, random=secrets.token_bytes)
    certification = Certification(database, clock, requesting, door)
    return {
        Est: Est(database, askers, requesting, door),
        Cmp: Cmp(database, clock, askers, certification, shield, door),
    }
