"""Chains made here and now; all of them synthetic (演练样本)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.validation import certificate, crl, path
from pki.validation.certificate import Certificate
from pki.validation.crl import Crl
from pki.validation.path import Evidence, Proven
from pki.validation.process import Anchor, Parameters

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAY = timedelta(days=1)

Extensions = Sequence[tuple[x509.ExtensionType, bool]]

AUTHORITY: Extensions = ((x509.BasicConstraints(ca=True, path_length=None), True),)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """One key for each name."""
    return ec.generate_private_key(ec.SECP256R1())


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def make(
    subject: str | x509.Name, issuer: str, extensions: Extensions = (), *, serial: int = 7, own_key: str = ""
) -> bytes:
    """Return a DER certificate of ``subject`` by ``issuer``, each with the key of its name."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject) if isinstance(subject, str) else subject)
        .issuer_name(named(issuer))
        .serial_number(serial)
        .public_key(key(own_key or str(subject)).public_key())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(key(issuer), hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass(frozen=True)
class List:
    """What a list says; ``by`` also names the key it is signed with, unless ``signer`` does."""

    by: str
    revoked: dict[int, x509.ReasonFlags] = field(default_factory=dict)
    extensions: Extensions = ()
    start: datetime = NOW - DAY
    end: datetime = NOW + DAY
    signer: str = ""

    def make(self) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(named(self.by))
        builder = builder.last_update(self.start).next_update(self.end)
        for value, critical in self.extensions:
            builder = builder.add_extension(value, critical=critical)
        for serial, reason in self.revoked.items():
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
            builder = builder.add_revoked_certificate(one.add_extension(x509.CRLReason(reason), critical=False).build())
        return builder.sign(key(self.signer or self.by), hashes.SHA256()).public_bytes(Encoding.DER)

    def parsed(self) -> Crl:
        return crl.parse(self.make())


def chain(length: int) -> list[bytes]:
    """Return a valid path of ``length`` certificates under the anchor "Root"."""
    names = ["Root", *(f"Authority {place}" for place in range(1, length)), "last"]
    kinds = [AUTHORITY] * (length - 1) + [()]
    return [make(names[place + 1], names[place], kinds[place]) for place in range(length)]


@cache
def anchor() -> Anchor:
    return path.trust(certificate.parse(make("Root", "Root", AUTHORITY)))


def validate(contents: Sequence[bytes | Certificate], evidence: Evidence | None = None) -> Proven:
    parsed = [one if isinstance(one, Certificate) else certificate.parse(one) for one in contents]
    return path.validate(parsed, anchor(), Parameters(now=NOW), evidence)
