"""The to-be-signed certificate: built, linted, and only then signed.

``prepare`` builds the certificate with ``cryptography`` and a throw-away key of the same algorithm, and lints what came
out. Its ``Prepared`` holds the exact octets that may be signed: ``assemble`` accepts a signature over these and nothing
else, so what was not linted cannot be issued (the idea is Boulder's linting certificate).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from core.identity import Serial
from pki import der
from pki.errors import BadRequest, BrokenProof


@dataclass(frozen=True, slots=True)
class Template:
    """Everything a certificate says; extensions come with their criticality, in the order they are written."""

    serial: Serial
    issuer: x509.Name
    subject: x509.Name
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: Sequence[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A linted to-be-signed certificate (DER) of one serial number."""

    serial: Serial
    tbs: bytes


def prepare(template: Template) -> Prepared:
    """Build and lint. Raises ``BadRequest`` when the outcome is not the certificate that was meant."""
    public = load_der_public_key(template.spki)
    builder = (
        x509.CertificateBuilder()
        .serial_number(int(template.serial, 16))
        .issuer_name(template.issuer)
        .subject_name(template.subject)
        .not_valid_before(template.not_before)
        .not_valid_after(template.not_after)
        .public_key(public)  # type: ignore[arg-type]  # csr.py accepts only kinds that certificates can hold
    )
    for value, critical in template.extensions:
        builder = builder.add_extension(value, critical=critical)
    # The key of the linting certificate is thrown away: nothing it signs is ever stored or sent.
    linting = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    _lint(template, linting)
    return Prepared(template.serial, linting.tbs_certificate_bytes)


def assemble(prepared: Prepared, signature: bytes, issuer: ec.EllipticCurvePublicKey) -> bytes:
    """Return the certificate (DER) of ``prepared``. Raises ``BrokenProof`` when the signature does not verify."""
    try:
        issuer.verify(signature, prepared.tbs, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BrokenProof("the authority's signature does not verify; nothing is handed out") from error
    certificate = der.signed(prepared.tbs, signature)
    if x509.load_der_x509_certificate(certificate).tbs_certificate_bytes != prepared.tbs:
        raise BadRequest("the certificate that came out is not the one that was prepared")
    return certificate


def _lint(template: Template, certificate: x509.Certificate) -> None:
    """Hold the built certificate against what was meant and against RFC 5280, 4.1.2."""
    serial = bytes.fromhex(template.serial)
    faults = [
        message
        for holds, message in (
            (certificate.version is x509.Version.v3, "it is not a version 3 certificate"),
            (len(serial) == 20 and 0 < serial[0] < 0x80, "its serial number is not of 20 octets and positive"),
            (certificate.serial_number == int(template.serial, 16), "its serial number is another"),
            (certificate.subject == template.subject, "its subject is another"),
            (certificate.not_valid_after_utc > certificate.not_valid_before_utc, "its validity is empty"),
            (len(list(certificate.extensions)) == len(template.extensions), "its extensions are others"),
        )
        if not holds
    ]
    if faults:
        raise BadRequest(f"the certificate does not pass the lint: {faults[0]}")
