"""What happens to time stamps, as evidence: details suffice to rebuild the row, and to know the token again."""

from core.clock import to_rfc3339
from core.ledger.entry import Event
from pki.tsa.models import TimeStamp

_ACTOR = "device:trust"


def intended(stamp: TimeStamp) -> Event:
    """A serial number and a time were taken for a hash, and what will be signed was fixed; no key was used yet."""
    details = {
        "authority": stamp.authority,
        "at": to_rfc3339(stamp.at),
        "policy": stamp.policy,
        "algorithm": stamp.algorithm,
        "imprint": stamp.imprint,
        "attributes_sha256": stamp.attributes_sha256,
    }
    return Event("pki.timestamp.intended", _ACTOR, f"timestamp:{stamp.serial}", details=details)


def granted(stamp: TimeStamp) -> Event:
    """The token was made; it is handed out when this is on record."""
    details = {"token_sha256": stamp.token_sha256}
    return Event("pki.timestamp.granted", _ACTOR, f"timestamp:{stamp.serial}", details=details)


def withheld(authority: str, reason: str) -> Event:
    """The clock could not be trusted, so no token was given; told once in a while, not for each request."""
    details = {"reason": reason}
    return Event("pki.timestamp.withheld", _ACTOR, f"authority:{authority}", result="refused", details=details)
