"""Profiles: what may be issued, as reviewed data. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from core.identity import SubjectKind
from pki.errors import WrongProfile

_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Profile:
    """``lifetime`` is the longest; ``named`` profiles carry DNS names and addresses of their domain."""

    name: str
    holder_kind: SubjectKind
    lifetime: timedelta
    usages: tuple[ObjectIdentifier, ...]
    named: bool = False


#: Government user certificates usually live a year (mission 2.3); servers and gateways less.
PROFILES = {
    profile.name: profile
    for profile in (
        Profile("person", SubjectKind.PERSON, timedelta(days=365), (_CLIENT,)),
        Profile("gateway", SubjectKind.GATEWAY, timedelta(days=180), (_CLIENT,)),
        Profile("sensor", SubjectKind.SENSOR, timedelta(days=180), (_CLIENT,)),
        Profile("application", SubjectKind.APPLICATION, timedelta(days=180), (_SERVER, _CLIENT), named=True),
        Profile("service", SubjectKind.SERVICE, timedelta(days=180), (_SERVER,), named=True),
        Profile("bootstrap", SubjectKind.BOOTSTRAP, timedelta(days=7), (_CLIENT,)),
    )
}


def get(name: str) -> Profile:
    """Return a profile; raises ``WrongProfile``."""
    if name not in PROFILES:
        raise WrongProfile(f"`{name}` is no profile", hint=f"one of {', '.join(PROFILES)}")
    return PROFILES[name]
