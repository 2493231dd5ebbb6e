"""The old authority's own certificate and its newest list: what they must be to be taken over. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import TrustError
from core.identity import Serial
from pki import path
from pki.path import Authorities
from pki.takeover import row
from pki.takeover.errors import UnfitAuthority
from pki.takeover.row import Fault

#: How far our numbers are ahead of the last one of the old authority: a list each minute for two years does not get
#: there. Beyond ``HIGHEST`` the store has no room for what comes after.
JUMP, HIGHEST = 1 << 20, 2_000_000_000


@dataclass(frozen=True, slots=True)
class OldAuthority:
    """An authority that can be taken over."""

    der: bytes
    certificate: x509.Certificate
    trusted: Authorities
    path_length: int

    @property
    def spki(self) -> bytes:
        """Return its key (DER SubjectPublicKeyInfo)."""
        return self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def serial(self) -> Serial:
        """Return its certificate's serial number."""
        return Serial(f"{self.certificate.serial_number:040x}")

    @property
    def is_self_signed(self) -> bool:
        """Say whether it is its own root."""
        return self.certificate.issuer == self.certificate.subject


@dataclass(frozen=True, slots=True)
class OldList:
    """The newest list: its number (none: it bears none), and since when and why each serial number is on it."""

    number: int | None
    this_update: datetime
    entries: Mapping[Serial, tuple[datetime, str]]


def read(der: bytes, now: datetime) -> OldAuthority:
    """Read its certificate. Raises ``UnfitAuthority`` saying what stands in the way."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key, extensions = certificate.public_key(), certificate.extensions
        trusted = path.trust([der, der] if certificate.issuer == certificate.subject else [der])
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise UnfitAuthority(f"the authority's certificate cannot be read: {error}") from error
    except TrustError as error:
        raise UnfitAuthority(f"the authority's certificate is not one of an authority: {error.detail}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        detail = "the authority's key is not on the curve P-256, and no other kind of key signs here yet"
        raise UnfitAuthority(detail, hint="give its holders certificates of an authority of ours instead")
    if certificate.not_valid_after_utc <= now or certificate.not_valid_before_utc > now:
        raise UnfitAuthority(f"the authority's certificate is good until {certificate.not_valid_after_utc:%Y-%m-%d}")
    _check_extensions(extensions, key)
    basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    return OldAuthority(der, certificate, trusted, 0 if basic.path_length is None else basic.path_length)


def _check_extensions(extensions: x509.Extensions, key: ec.EllipticCurvePublicKey) -> None:
    found = {type(one.value): one.value for one in extensions}
    basic, usage = found.get(x509.BasicConstraints), found.get(x509.KeyUsage)
    if not isinstance(basic, x509.BasicConstraints) or not basic.ca:
        raise UnfitAuthority("the certificate is not one of an authority (basicConstraints)")
    if isinstance(usage, x509.KeyUsage) and not (usage.key_cert_sign and usage.crl_sign):
        raise UnfitAuthority("the authority's key may not sign certificates and lists (keyUsage)")
    if x509.NameConstraints in found:
        raise UnfitAuthority("the authority is constrained to names, which is not followed here for a foreign one")
    identifier = found.get(x509.SubjectKeyIdentifier)
    if isinstance(identifier, x509.SubjectKeyIdentifier):
        ours = x509.SubjectKeyIdentifier.from_public_key(key).digest
        if identifier.digest != ours:
            raise UnfitAuthority("the authority's key identifier is not the SHA-1 of its key, as lists here say it")


def read_list(content: bytes, authority: OldAuthority) -> OldList:
    """Read its newest list (PEM or DER). Raises ``UnfitAuthority``."""
    try:
        load = x509.load_pem_x509_crl if content.lstrip()[:10] == b"-----BEGIN" else x509.load_der_x509_crl
        crl = load(content)
        key = authority.certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        if crl.issuer != authority.certificate.subject or not crl.is_signature_valid(key):
            raise UnfitAuthority("the list is not one that this authority signed")
        kinds = {type(one.value): one.value for one in crl.extensions}
        entries = {row.serial(one.serial_number): _entry(one) for one in crl}
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.DuplicateExtension, Fault) as error:
        raise UnfitAuthority(f"the list cannot be read: {error}") from error
    if x509.DeltaCRLIndicator in kinds or x509.IssuingDistributionPoint in kinds:
        raise UnfitAuthority("the list is a delta or a part: the full one is wanted")
    number = kinds.get(x509.CRLNumber)
    return OldList(number.crl_number if isinstance(number, x509.CRLNumber) else None, crl.last_update_utc, entries)


def _entry(one: x509.RevokedCertificate) -> tuple[datetime, str]:
    found = [extension.value for extension in one.extensions if isinstance(extension.value, x509.CRLReason)]
    word = found[0].reason if found else x509.ReasonFlags.unspecified
    return one.revocation_date_utc, _BY_FLAG.get(word, "unspecified")


_FLAGS = x509.ReasonFlags

_BY_FLAG = {
    _FLAGS.unspecified: row.REASONS[0],
    _FLAGS.key_compromise: row.REASONS[1],
    _FLAGS.ca_compromise: row.REASONS[2],
    _FLAGS.affiliation_changed: row.REASONS[3],
    _FLAGS.superseded: row.REASONS[4],
    _FLAGS.cessation_of_operation: row.REASONS[5],
    _FLAGS.certificate_hold: row.REASONS[6],
    _FLAGS.privilege_withdrawn: row.REASONS[9],
    _FLAGS.aa_compromise: row.REASONS[10],
}
