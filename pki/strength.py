"""Keys and lives that a protection level asks for: judged at issuance, and looked up when a level is to change."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlmodel import Session, select

from core.identity import DomainId
from core.registry import levels
from core.registry.credential import Credential, CredentialState
from pki.csr import PublicKey
from pki.errors import WeakKey
from pki.models import Certificate


def check_key(key: PublicKey, level: int) -> None:
    """Raise ``WeakKey`` naming the level and the table's version when ``key`` is below what the level asks."""
    rsa_bits, ec_bits = levels.value("rsa_bits", level), levels.value("ec_bits", level)
    if (told := _below(key, rsa_bits, ec_bits)) is not None:
        detail = f"{told} is below protection level {level} (level table {levels.table().version})"
        raise WeakKey(detail, hint=f"at least P-{ec_bits}, or RSA from {rsa_bits} bits")


def weak(session: Session, domain: DomainId, rsa_bits: int, ec_bits: int, at: datetime) -> Sequence[tuple[str, str]]:
    """Return (serial, what its key is) of a domain's good certificates whose keys are below these sizes."""
    statement = select(Certificate).where(
        Credential.serial == Certificate.serial,
        Credential.domain == domain,
        Credential.state == CredentialState.GOOD,
        Credential.not_after > at,
    )
    found = []
    for row in session.exec(statement.order_by(Certificate.serial)):
        key = x509.load_der_x509_certificate(row.der).public_key()
        if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            told = _below(key, rsa_bits, ec_bits)
            found += [(row.serial, told)] if told is not None else []
    return found


def _below(key: PublicKey, rsa_bits: int, ec_bits: int) -> str | None:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA of {key.key_size} bits" if key.key_size < rsa_bits else None
    return f"P-{key.curve.key_size}" if key.curve.key_size < ec_bits else None
