"""Certification path validation (RFC 5280, 6.1) over our hierarchy, with a reason for every refusal. Pure.

1. readable, version 3, no critical extension that is not understood · 2. issuer's name is one of ours ·
3. issuer's signature · 4. validity of the certificate and of every authority above it · 5. purpose.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki import der
from pki.errors import BadCertificate, Expired, ForeignIssuer, LookAlikeIssuer, NotYetValid, WrongPurpose

_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
    x509.AuthorityKeyIdentifier,
    x509.SubjectKeyIdentifier,
)

#: Most octets of a certificate that is looked at.
LARGEST = 65_536


def validate(content: bytes, authorities: Sequence[x509.Certificate], now: datetime) -> x509.Certificate:
    """Return the certificate when it is a client's, under ``authorities`` (issuing first, root last), at ``now``.

    Raises ``BadCertificate``, ``ForeignIssuer``, ``LookAlikeIssuer``, ``Expired``, ``NotYetValid``, ``WrongPurpose``.
    """
    # 1.
    certificate = _load(content)
    # 2. and 3. A name is no proof: what bears our name must bear our signature.
    issuing = authorities[0]
    if certificate.issuer != issuing.subject:
        raise ForeignIssuer(f"issued by `{certificate.issuer.rfc4514_string()}`, which is no authority of ours")
    try:
        certificate.verify_directly_issued_by(issuing)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LookAlikeIssuer("issued under our authority's name, but not with its key") from error
    # What is not under the signature has one encoding too: a second form of the same certificate is not ours.
    if der.signed(certificate.tbs_certificate_bytes, certificate.signature) != content:
        raise BadCertificate("the certificate is not in its one encoding (X.690, 10)")
    # 4.
    for one in (certificate, *authorities):
        _check_time(one, now)
    # 5.
    _check_purpose(certificate)
    return certificate


def _load(content: bytes) -> x509.Certificate:
    if len(content) > LARGEST:
        raise BadCertificate(f"the certificate has {len(content)} octets, more than {LARGEST}")
    try:
        certificate = x509.load_der_x509_certificate(content)
        extensions = list(certificate.extensions)
        version = certificate.version
        # Names and times are decoded when they are first asked for: ask here, where what cannot be read is refused.
        _ = certificate.issuer, certificate.subject, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise BadCertificate("the certificate cannot be read") from error
    if version is not x509.Version.v3:
        raise BadCertificate("the certificate is not of version 3")
    if certificate.serial_number < 1:
        raise BadCertificate("the certificate's serial number is not positive (RFC 5280, 4.1.2.2)")
    for extension in extensions:
        if extension.critical and not isinstance(extension.value, _UNDERSTOOD):
            raise BadCertificate(f"the certificate has a critical extension {extension.oid.dotted_string}")
    return certificate


def _check_time(certificate: x509.Certificate, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        raise NotYetValid(f"the certificate is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M}Z")
    if now > certificate.not_valid_after_utc:
        hint = "ask the registration officer for a new one"
        raise Expired(f"the certificate expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M}Z", hint=hint)


def _check_purpose(certificate: x509.Certificate) -> None:
    found = {type(extension.value): extension.value for extension in certificate.extensions}
    usage, purposes = found.get(x509.KeyUsage), found.get(x509.ExtendedKeyUsage)
    basic = found.get(x509.BasicConstraints)
    is_authority = isinstance(basic, x509.BasicConstraints) and basic.ca
    signs = isinstance(usage, x509.KeyUsage) and usage.digital_signature
    client = isinstance(purposes, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH in purposes
    if is_authority or not signs or not client:
        raise WrongPurpose("the certificate is not for authenticating a client")
