"""Keys that a protection level would find too weak: looked up when the level of a domain is to change."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlmodel import Session, select

from core.identity import DomainId
from core.registry.credential import Credential, CredentialState
from pki.keyquality import below
from pki.models import Certificate


def weak(session: Session, domain: DomainId, rsa_bits: int, ec_bits: int, at: datetime) -> Sequence[tuple[str, str]]:
    """Return (serial, what its key is) of a domain's certificates whose keys are below these sizes.

    What is on hold counts: it is good again when its hold ends.
    """
    statement = select(Certificate).where(
        Credential.serial == Certificate.serial,
        Credential.domain == domain,
        Credential.state != CredentialState.REVOKED,
        Credential.not_after > at,
    )
    found = []
    for row in session.exec(statement.order_by(Certificate.serial)):
        key = x509.load_der_x509_certificate(row.der).public_key()
        if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            told = below(key, rsa_bits, ec_bits)
            found += [(row.serial, told)] if told is not None else []
    return found
