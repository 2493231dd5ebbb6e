"""The registration desk, put together with what comes to it: one-time codes and renewals."""

import secrets

from core.clock import Clock
from core.database import Database
from pki.desk import RequestDesk
from pki.issuance import CertificateAuthority
from pki.redemption import Redemption
from pki.renewal import Renewal


def provided(database: Database, *, clock: Clock, authority: CertificateAuthority) -> dict[type, object]:
    """Return each part by its type."""
    desk = RequestDesk(database=database, authority=authority, clock=clock, random=secrets.token_bytes)
    return {
        RequestDesk: desk,
        Redemption: Redemption(database=database, authority=authority, clock=clock, random=secrets.token_bytes),
        Renewal: Renewal(database=database, authority=authority, request_desk=desk, clock=clock),
    }
