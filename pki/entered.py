"""A credential as it is entered for a certificate that was just signed: a row of ``Credential``, without a session."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from core.registry.credential import CredentialState
from pki.planned import Planned


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the row."""

    serial: str
    issuer: str
    holder_kind: str
    holder: str
    domain: str
    profile: str
    certificate_sha256: str
    spki_sha256: str
    not_before: datetime
    not_after: datetime

    @property
    def row(self) -> dict[str, object]:
        """Return the row: a session costs more than all the rest for what is only inserted."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**own, "state": CredentialState.GOOD.value, "revoked_at": None, "revocation_reason": ""}


def enter(planned: Planned, der: bytes) -> Entered:
    """Return the credential of a signed certificate (DER); its validity is read from there."""
    made, holder = x509.load_der_x509_certificate(der), planned.admitted.holder
    return Entered(
        serial=planned.serial,
        issuer=planned.issuer,
        holder_kind=holder.kind,
        holder=holder.identifier,
        domain=holder.domain,
        profile=planned.admitted.profile.name,
        certificate_sha256=hashlib.sha256(der).hexdigest(),
        spki_sha256=hashlib.sha256(planned.admitted.content.spki).hexdigest(),
        not_before=made.not_valid_before_utc,
        not_after=made.not_valid_after_utc,
    )
