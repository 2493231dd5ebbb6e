"""What is asked of the authority, whichever way it came in, and what it hands out. Pure."""

import hashlib
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from core.identity import Serial, SubjectKind
from pki.authorisation import Wanted


@dataclass(frozen=True, slots=True)
class IssuanceRequest:
    """What is asked for; ``holder_kind`` none means the profile's. ``lifetime_seconds`` may only shorten.

    ``renews`` is the serial number of the certificate that proved who asks, when no officer looks at it again.
    """

    csr: bytes
    profile: str
    holder_kind: SubjectKind | None
    holder: str
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    lifetime_seconds: int | None = None
    renews: str = ""

    @property
    def wanted(self) -> Wanted:
        """Return what is asked for beside the certification request."""
        return Wanted(self.dns_names, self.ip_addresses, self.lifetime_seconds, renewal=bool(self.renews))

    @property
    def digest(self) -> str:
        """Return the SHA-256 (hexadecimal) by which the very same request is known again."""
        said: list[object] = [self.profile, self.holder_kind, self.holder, self.dns_names, self.ip_addresses]
        said += [self.lifetime_seconds, *([self.renews] if self.renews else [])]
        return hashlib.sha256(json.dumps(said).encode() + b"\n" + self.csr).hexdigest()


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate as it is handed out: DER, and PEM with those of the authorities above it, but for the root.

    ``repeated``: it was issued before, for the very same request.
    """

    serial: Serial
    der: bytes
    chain_pem: str
    repeated: bool = False


def issued(serial: Serial, der: bytes, above: Sequence[bytes], *, repeated: bool = False) -> IssuedCertificate:
    """Return a certificate (DER) as it is handed out, with those ``above`` it (DER), its own authority's first."""
    chain = "".join(ssl.DER_cert_to_PEM_cert(one) for one in (der, *above))
    return IssuedCertificate(serial, der, chain, repeated)
