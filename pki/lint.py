"""The lint: a to-be-signed certificate, read again by another than who wrote it, is held against what was meant. Pure.

Every certificate passes here before a key is used (RFC 5280, 4.1 and 4.2). What the holder may be called is worked out
from the register's entry once more, and not taken from what was encoded.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import TrustError
from pki import der, keyquality, names, pointers
from pki.authorisation import Admitted
from pki.errors import LintFailed
from pki.template import Filling, Template

#: Octets of a serial number: the most that are allowed (RFC 5280, 4.1.2.2), 159 of their bits random.
_SERIAL_OCTETS = 20

Extensions = Sequence[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True)
class Meant:
    """What the certificate should say."""

    filling: Filling
    template: Template
    authority: x509.Certificate


def check(tbs: bytes, meant: Meant) -> None:
    """Raise ``LintFailed`` naming the first fault."""
    try:
        # With a signature that is none: what is judged is what would be signed.
        certificate = x509.load_der_x509_certificate(der.signed(tbs, b""))
        for holds, message in _rules(tbs, certificate, meant):
            if not holds:
                raise LintFailed(f"the certificate does not pass the lint: {message}")
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise LintFailed(f"the certificate does not pass the lint: {error}") from error


def _rules(tbs: bytes, certificate: x509.Certificate, meant: Meant) -> Iterator[tuple[bool, str]]:
    yield certificate.tbs_certificate_bytes == tbs, "it is not what was read"
    yield from _encoding(tbs, meant)
    yield from _frame(certificate, meant)
    yield from _validity(certificate, meant)
    yield from _extensions(certificate, meant)
    yield from _names(certificate, meant.filling.admitted)
    yield from _key(certificate, meant.filling.admitted)


def _encoding(tbs: bytes, meant: Meant) -> Iterator[tuple[bool, str]]:
    """What a reader takes to be equal can be written in several ways: one of them is right (X.690, 10 and 11)."""
    ((_, content),) = der.elements(tbs)
    _version, _serial, algorithm, issuer, _validity, subject, _key, (_, extensions) = der.elements(content)
    said = names.subject_attributes(meant.filling.admitted.holder, meant.filling.admitted.hosts)
    told = x509.Name([x509.NameAttribute(*one) for one in said])
    yield der.encode(*algorithm) == der.ECDSA_WITH_SHA256, "it names another signature algorithm than it is signed with"
    yield meant.template.issuer.endswith(der.encode(*issuer)), "its issuer is written in another way"
    yield der.encode(*subject) == told.public_bytes(), "its subject is not what the register says"
    ((_, listed),) = der.elements(extensions)
    last = meant.template.authority_key + meant.template.status[pointers.shard(meant.filling.serial)]
    yield listed.startswith(meant.template.first) and listed.endswith(last), "its extensions are written in another way"


def _frame(certificate: x509.Certificate, meant: Meant) -> Iterator[tuple[bool, str]]:
    serial = bytes.fromhex(meant.filling.serial)
    yield certificate.version is x509.Version.v3, "it is not of version 3"
    yield len(serial) == _SERIAL_OCTETS and 0 < serial[0] < 0x80, "its serial number is not of 20 octets and positive"
    yield len(set(serial)) > 4, "its serial number is not random"
    yield certificate.serial_number == int.from_bytes(serial, "big"), "its serial number is another"
    yield certificate.issuer == meant.authority.subject, "its issuer is another"


def _validity(certificate: x509.Certificate, meant: Meant) -> Iterator[tuple[bool, str]]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    told = (meant.filling.not_before, meant.filling.not_after)
    yield (start, end) == told, "its validity is another"
    yield start < end, "its validity is empty"
    yield end - start <= meant.filling.admitted.life, "it lives longer than its profile and level allow"
    above = meant.authority
    yield above.not_valid_before_utc <= start and end <= above.not_valid_after_utc, "it outlives its authority"


def _extensions(certificate: x509.Certificate, meant: Meant) -> Iterator[tuple[bool, str]]:
    # What they say is held against the octets that ``cryptography`` made for the template: see ``_encoding``.
    shard = pointers.shard(meant.filling.serial)
    fixed = {type(value): critical for value, critical in (*meant.template.fixed, *meant.template.pointers[shard])}
    found = {type(one.value): one.critical for one in certificate.extensions}
    own: dict[type, bool] = {x509.SubjectKeyIdentifier: False, x509.SubjectAlternativeName: False}
    yield found == {**fixed, **own}, "it has an extension too many, too few, or of another criticality"
    told = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    expected = x509.SubjectKeyIdentifier.from_public_key(meant.filling.admitted.content.key)
    yield told == expected, "its subject key identifier is another"


def _names(certificate: x509.Certificate, admitted: Admitted) -> Iterator[tuple[bool, str]]:
    holder = admitted.holder
    listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = listed.get_values_for_type(x509.UniformResourceIdentifier)
    hosts = listed.get_values_for_type(x509.DNSName)
    addresses = listed.get_values_for_type(x509.IPAddress)
    yield len(listed) == len(uris) + len(hosts) + len(addresses), "it has a name of another kind"
    yield uris == [names.urn(holder)], "it stands for somebody else"
    yield tuple(hosts) == admitted.hosts, "its host names are others"
    yield addresses == [ipaddress.ip_address(one) for one in admitted.addresses], "its addresses are others"
    yield _are_inside(admitted, hosts, [str(one) for one in addresses]), "a name of it lies outside its domain"


def _are_inside(admitted: Admitted, hosts: Sequence[str], addresses: Sequence[str]) -> bool:
    try:
        names.check_hosts(admitted.holder, hosts)
        names.check_addresses(admitted.holder, addresses)
    except TrustError:
        return False
    return True


def _key(certificate: x509.Certificate, admitted: Admitted) -> Iterator[tuple[bool, str]]:
    key = certificate.public_key()
    yield isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey), "its key is of another kind"
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    same = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == admitted.content.spki
    yield same, "its key is another"
    yield _is_strong(admitted, key), "its key is too weak"


def _is_strong(admitted: Admitted, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bool:
    try:
        keyquality.check_key(key, admitted.holder.level)
    except TrustError:
        return False
    return keyquality.kind(key) in admitted.profile.keys
