"""Wiring of our own time-stamp authority."""

import secrets
from collections.abc import Mapping

from core.clock import Clock
from core.database import Database
from deploy.settings import Settings
from hsm.client import SignerClient
from pki.settings import PkiSettings
from pki.tsa.admission import Admission
from pki.tsa.authority import TimeStampAuthority
from pki.tsa.kernel import KernelSynchrony
from pki.tsa.renewal import Renewal
from pki.tsa.settings import TsaSettings


def provided(
    settings: Settings, names: PkiSettings, database: Database, keys: SignerClient, *, clock: Clock
) -> Mapping[type, object]:
    """Return what the interface needs, by type."""
    return {
        PkiSettings: names,
        TsaSettings: settings.tsa,
        TimeStampAuthority: authority(settings, database, keys, clock),
        Admission: Admission(clock=clock, per_minute=settings.tsa.per_minute),
        Renewal: renewal(names, database, keys, clock),
    }


def authority(settings: Settings, database: Database, keys: SignerClient, clock: Clock) -> TimeStampAuthority:
    """Return the time-stamp authority."""
    return TimeStampAuthority(
        database=database,
        keys=keys,
        clock=clock,
        random=secrets.token_bytes,
        settings=settings.tsa,
        synchrony=KernelSynchrony(),
    )


def renewal(names: PkiSettings, database: Database, keys: SignerClient, clock: Clock) -> Renewal:
    """Return what makes its next generation."""
    return Renewal(database=database, keys=keys, clock=clock, random=secrets.token_bytes, settings=names)
