"""Keys that are made here for a machine that cannot (RFC 7030, 4.4): of the kind and for the names of its request.

The key is handed out with its certificate and kept nowhere: nobody can recover it, and it is on record that it was
made here, for whoever weighs a signature by it.
"""

import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.csr import CertificationRequest
from pki.errors import WeakKey

#: The largest RSA key that is made here: each takes a second or two.
_LARGEST_RSA = 4096


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A private key (PKCS #8, DER) and the request (DER) that it signed."""

    pkcs8: bytes
    request: bytes


def make(read: CertificationRequest) -> MadeKey:
    """Make a key for what a request asks for. Raises ``WeakKey`` for a size that is not made here."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if isinstance(read.key, rsa.RSAPublicKey):
        if read.key.key_size > _LARGEST_RSA:
            raise WeakKey(f"RSA keys of {read.key.key_size} bits are not made here", hint=f"at most {_LARGEST_RSA}")
        key = rsa.generate_private_key(65_537, read.key.key_size)
    else:
        key = ec.generate_private_key(read.key.curve)
    builder = x509.CertificateSigningRequestBuilder().subject_name(read.subject)
    if named := _names(read):
        builder = builder.add_extension(x509.SubjectAlternativeName(named), critical=False)
    request = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return MadeKey(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), request)


def _names(read: CertificationRequest) -> list[x509.GeneralName]:
    named: list[x509.GeneralName] = [x509.DNSName(one) for one in read.hosts]
    named += [x509.IPAddress(ipaddress.ip_address(one)) for one in read.addresses]
    return named + [x509.UniformResourceIdentifier(one) for one in read.identifiers]
