"""One certificate between its judgement and its outcome."""

from dataclasses import dataclass
from datetime import datetime

from core.identity import Serial
from pki.authorisation import Admitted
from pki.tbs import Prepared


@dataclass(frozen=True, slots=True)
class Planned:
    """A certificate that is about to be signed. ``profiles`` is the digest of the profiles it follows.

    ``renews`` is the serial number that alone vouches for it. ``since``: its request has one good certificate from then
    on, and no second; none: one each time it is asked for.
    """

    prepared: Prepared
    admitted: Admitted
    profiles: str
    actor: str
    issuer: str
    since: datetime | None = None
    renews: str = ""

    @property
    def serial(self) -> Serial:
        """Return its serial number."""
        return self.prepared.serial

    @property
    def request(self) -> str:
        """Return the digest of the request that it is for."""
        return self.prepared.request

    @property
    def profile(self) -> str:
        """Return the name of its profile."""
        return self.admitted.profile.name

    @property
    def holder(self) -> str:
        """Return whom it stands for."""
        return self.admitted.holder.identifier

    @property
    def domain(self) -> str:
        """Return the holder's domain."""
        return self.admitted.holder.domain
