"""What the store says now of a serial number: one function for the responder and the status interface."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.identity import Serial
from core.registry import credential
from pki.models import CertificateHold, Revocation
from pki.reason import HOLD


@dataclass(frozen=True, slots=True)
class Standing:
    """``state`` is good, held, revoked or unknown; ``since`` and ``reason`` are what the lists say."""

    state: str
    since: datetime | None = None
    reason: str = ""


def of(session: Session, serial: Serial, issuer: str = "") -> Standing:
    """Return how a serial number stands; with ``issuer``, one of another authority is unknown.

    The hold is read first: a revocation takes it away, and whoever misses it then sees the revocation.
    """
    held = session.get(CertificateHold, serial)
    revoked = session.get(Revocation, serial)
    if revoked is not None and issuer in ("", revoked.issuer):
        return Standing("revoked", revoked.at, revoked.reason)
    if held is not None and issuer in ("", held.issuer):
        return Standing("held", held.at, HOLD)
    found = credential.find(session, serial)
    return Standing("good" if found is not None and issuer in ("", found.issuer) else "unknown")
