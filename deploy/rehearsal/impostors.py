"""Certificates and requests that must be refused, made here and now; all of them synthetic (演练样本)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core import durable
from deploy.rehearsal.doors import Identity

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def certify(folder: Path, name: str, *, subject: str, issuer: x509.Name) -> Identity:
    """Write a client certificate for ``subject`` from an authority of our own that calls itself ``issuer``."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.USER_ID, subject)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(authority, hashes.SHA256())
    )
    identity = Identity(folder / f"{name}.pem", folder / f"{name}.key")
    identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    durable.write(identity.key, _key_pem(key))
    return identity


def issuer_name(chain: Path) -> x509.Name:
    """Return the subject of the issuing authority: the second certificate of a chain file."""
    return x509.load_pem_x509_certificates(chain.read_bytes())[1].subject


def foreign_name() -> x509.Name:
    """Return the name of an authority that nobody here knows."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Elsewhere CA")])


def bad_requests(holder: str, *, revoked_key: Path, department: str) -> dict[str, bytes]:
    """Return requests by their flaw: each must be refused for its own reason."""
    good = ec.generate_private_key(ec.SECP256R1())
    old = serialization.load_pem_private_key(revoked_key.read_bytes(), password=None)
    assert isinstance(old, ec.EllipticCurvePrivateKey)
    return {
        "another department's name": _request(good, holder, department=department),
        "RSA-1024": _request(rsa.generate_private_key(65537, 1024), holder),  # noqa: S505  # weak is the point
        "broken self-signature": _broken(_request(good, holder)),
        "wildcard": _request(good, holder, dns="*.fin.beichen.example"),
        "2 MB": b"-----BEGIN CERTIFICATE REQUEST-----\n" + b"QUFB" * 500_000 + b"\n-----END CERTIFICATE REQUEST-----\n",
        "key of a revoked certificate": _request(old, holder),
    }


def _request(key: PrivateKey, holder: str, *, department: str = "", dns: str = "") -> bytes:
    names = [x509.NameAttribute(NameOID.USER_ID, holder)]
    if department:
        names.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, department))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _broken(request: bytes) -> bytes:
    """Change one bit of the signature, and wrap it again."""
    der = bytearray(x509.load_pem_x509_csr(request).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


#: What makes a changed copy of something: used by the step that damages bundles.
Change = Callable[[bytes], bytes]
